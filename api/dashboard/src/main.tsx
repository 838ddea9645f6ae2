import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/theme.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/form.css";
import "./style/table.css";
import "./style/jobs.css";
import "./style/job.css";
import "./style/data.css";
import "./style/playground.css";
import "./style/why.css";
import { App } from "./app";

const root = document.getElementById("app");
if (root) render(<App />, root);
