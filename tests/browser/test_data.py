"""Data sets in the dashboard: uploaded by hand, looked at, trained on, refused, deleted."""

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from stack import until

SIDE = 12
SHADES = {"dark": 20, "grey": 110, "light": 220}


def picture(shade: int, number: int) -> bytes:
    """A PNG of one shade and some noise."""
    noise = np.random.default_rng(number).integers(0, 30, (SIDE, SIDE))
    data = io.BytesIO()
    Image.fromarray((shade + noise).astype(np.uint8)).save(data, "PNG")
    return data.getvalue()


def pictures(count: int = 20) -> dict[str, bytes]:
    """Files in a folder per shade."""
    return {
        f"shades/{name}/{number}.png": picture(shade, number)
        for name, shade in SHADES.items()
        for number in range(count)
    }


def packed(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def choose(page: Page, *files: tuple[str, bytes]) -> None:
    """Give files to the input, as the browser's own dialog does."""
    chosen: Any = [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    page.get_by_label("Choose files").set_input_files(chosen)


def panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Upload")


def made(system: Any, name: str, file: str, data: bytes, **options: Any) -> dict[str, Any]:
    """A data set by the API: its ingest, ended."""
    answer = system.http.put(f"/v1/datasets/{name}", content=data, params={"filename": file, **options})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = system.ended(answer.json()["id"])
    return job


def test_a_zip_of_pictures_becomes_a_data_set_that_is_looked_at_and_trained_on(visit: Any, system: Any) -> None:
    page = visit.to("data")
    choose(page, ("My Shades.zip", packed({**pictures(), "shades/.DS_Store": b"x"})))
    expect(page.get_by_label("Name", exact=True)).to_have_value("my-shades")
    page.get_by_label("Source").fill("made for this test")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(panel(page).get_by_role("status").filter(has_text="my-shades@1 is ready.")).to_have_count(1)
    expect(page.get_by_role("list", name="Data sets").get_by_role("listitem").first).to_contain_text(
        "image 12×12, grey"
    )

    panel(page).get_by_role("link", name="my-shades@1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("my-shades@1")
    expect(page.locator("main")).to_contain_text("48 train · 12 test")
    samples = page.get_by_role("list", name="Samples")
    expect(samples.get_by_role("listitem")).to_have_count(12)
    shown = samples.get_by_role("img", name=re.compile(r"^light, sample \d+$")).first
    size = shown.evaluate("async image => { await image.decode(); return [image.naturalWidth, image.naturalHeight]; }")
    assert size == [SIDE, SIDE]
    page.get_by_role("group", name="Split").get_by_role("button", name="train").click()
    expect(samples.get_by_role("listitem")).to_have_count(27)
    classes = page.get_by_role("region", name="Classes", exact=True)
    expect(classes.get_by_role("row", name="grey 16 4")).to_be_visible()
    expect(page.get_by_role("region", name="What was found")).to_contain_text("1 file is no sample and was ignored")

    page.get_by_role("link", name="Train on this").click()
    expect(page.get_by_label("Data set")).to_have_value("my-shades@1")
    expect(page.get_by_label("Resize to")).to_have_value("")  # the pictures are large enough as they are
    page.get_by_label("Model").fill("")
    page.get_by_label("Channels").fill("4")
    page.get_by_label("Epochs").fill("2")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".under .status")).to_have_text("succeeded")
    job = system.job(page.url.rsplit("/", 1)[1])
    assert (job["dataset"]["name"], job["dataset"]["version"]) == ("my-shades", 1)


def test_files_in_folders_go_out_as_one_archive(visit: Any, system: Any, tmp_path: Path) -> None:
    """The browser's own tar: long names, and letters beyond ASCII, arrive as they are."""
    name = "bright ☀ " + "and very " * 11 + "light"
    for shade, folder in (("dark", "dark"), ("light", name)):
        (tmp_path / "sky" / folder).mkdir(parents=True)
        for number in range(10):
            (tmp_path / "sky" / folder / f"{number}.png").write_bytes(picture(SHADES[shade], number))
    page = visit.to("data")
    page.get_by_label("Choose a folder").set_input_files(tmp_path / "sky")
    expect(page.get_by_label("Name", exact=True)).to_have_value("sky")
    expect(panel(page)).to_contain_text("20 files")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(panel(page)).to_contain_text("is ready.")
    assert system.http.get("/v1/datasets/sky").json()["classes"] == [name, "dark"]


def test_a_refusal_is_shown_in_full_and_the_files_can_be_given_anew(visit: Any, system: Any) -> None:
    files = pictures(5)
    broken = {name: data[:60] if name.startswith("shades/grey") else data for name, data in files.items()}
    page = visit.to("data")
    choose(page, ("broken.zip", packed(broken)))
    page.get_by_role("button", name="Upload", exact=True).click()
    refusal = panel(page).get_by_role("alert")
    expect(refusal).to_contain_text("5 of 15 samples cannot be read")
    expect(refusal).to_contain_text("What to do. Correct the files")
    expect(panel(page)).to_contain_text("shades/grey/0.png")

    refusal.get_by_role("link", name="The job").click()
    failure = page.get_by_role("region", name="Failed: invalid_data")
    expect(failure).to_contain_text("5 of 15 samples cannot be read")
    expect(page.get_by_role("region", name="Files")).to_contain_text("broken.zip")
    expect(page.get_by_role("list", name="Stages")).to_contain_text("reading")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    expect(page.get_by_role("region", name="Curves")).to_have_count(0)
    failure.get_by_role("link", name="Upload again").click()
    panel(page).get_by_role("button", name="Change the settings").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("broken")
    page.get_by_role("button", name="Choose others").click()
    choose(page, ("whole.zip", packed(files)))
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(panel(page)).to_contain_text("broken@1 is ready.")


def test_a_wrong_setting_is_said_beside_its_field(visit: Any) -> None:
    visit.expected = ["status of 422"]
    page = visit.to("data")
    choose(page, ("a.zip", packed(pictures(2))))
    page.get_by_label("Name", exact=True).fill("Not A Name")
    page.get_by_text("Settings, where").click()
    page.get_by_label("Test share").fill("0.9")
    page.get_by_role("button", name="Upload", exact=True).click()
    for label in ("Name", "Test share"):
        expect(page.get_by_label(label, exact=True)).to_have_attribute("aria-invalid", "true")


def test_texts_are_quoted_trained_on_and_asked_about(visit: Any, system: Any) -> None:
    rows = io.StringIO()
    table = csv.writer(rows)
    table.writerow(["label", "text"])
    for number in range(40):
        table.writerow(["greeting", f"hello, hello number {number}"])
        table.writerow(["parting", f"goodbye and farewell {number}"])
    job = made(system, "words", "words.csv", rows.getvalue().encode())
    assert job["status"] == "succeeded", job["error"]
    page = visit.to("data/words@1")
    expect(page.get_by_role("list", name="Samples")).to_contain_text("goodbye and farewell")
    page.get_by_role("link", name="Train on this").click()
    expect(page.get_by_label("Recurrent")).to_be_checked()
    page.get_by_label("Convolutional").check()
    expect(page.get_by_label("Resize to")).to_have_count(0)
    expect(page.get_by_role("region", name="The same as a command")).to_contain_text('"global_pool": "max"')
    page.get_by_label("Recurrent").check()
    page.get_by_label("Model").fill("words")
    page.get_by_label("Tokens").select_option("word")
    page.get_by_label("Hidden size").fill("16")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".under .status")).to_have_text("succeeded")
    page = visit.to("playground?model=words")
    page.get_by_label("Text", exact=True).fill("hello hello")
    expect(page.locator("[data-answer=greeting]")).to_be_visible()
    page.get_by_role("button", name="A real test sample").click()
    expect(page.get_by_text("its class is")).to_be_visible()


def test_series_of_several_lengths_are_drawn_and_asked_about(visit: Any, system: Any) -> None:
    random = np.random.default_rng(5)
    lines = []
    for number in range(60):
        rising = number % 2 == 0
        steps = np.linspace(0, 1, 6 + number % 5) * (1 if rising else -1) + random.normal(0, 0.05, 6 + number % 5)
        lines.append(f"{','.join(f'{step:.4f}' for step in steps)}:{'rising' if rising else 'falling'}")
    head = "@problemName slopes\n@classLabel true rising falling\n@data\n"
    job = made(system, "slopes", "slopes.ts", (head + "\n".join(lines) + "\n").encode())
    assert job["status"] == "succeeded", job["error"]
    page = visit.to("data/slopes@1")
    expect(page.get_by_role("img", name=re.compile(r"^rising, sample \d+$")).first).to_be_visible()
    expect(page.locator("main")).to_contain_text("6–10 steps")
    spec = {"dataset": "slopes", "model": "slopes", "network": {"family": "rnn", "cell": "gru", "hidden": 16}}
    assert system.ended(system.submit({**spec, "hyperparameters": {"epochs": 15}}))["status"] == "succeeded"
    page = visit.to("playground?model=slopes")
    numbers = page.get_by_label("Numbers, one after the other")
    numbers.fill("0, -0.2, -0.4, -0.6, minus")
    expect(page.get_by_text('"minus" is no number.')).to_be_visible()
    numbers.fill("0, -0.2, -0.4, -0.6, -0.8, -1")
    expect(page.locator("[data-answer=falling]")).to_be_visible()


def test_a_data_set_is_deleted_unless_something_was_made_from_it(visit: Any, system: Any) -> None:
    visit.expected = ["status of 409"]
    assert made(system, "doomed", "a.zip", packed(pictures(8)))["status"] == "succeeded"
    network = {"family": "cnn", "stages": [{"channels": 2}], "hidden": [4]}
    job_id = system.submit({"dataset": "doomed", "network": network, "hyperparameters": {"epochs": 1}})
    system.ended(job_id)
    page = visit.to("data/doomed@1")
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog", name="Delete doomed@1?")
    dialog.get_by_role("button", name="Delete data set").click()
    expect(dialog).to_contain_text("jobs were run on dataset doomed@1; delete them first")
    assert system.http.delete(f"/v1/jobs/{job_id}").status_code == 204
    dialog.get_by_role("button", name="Delete data set").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Data")
    expect(page.get_by_role("link", name="doomed@1")).to_have_count(0)
    visit.to("data/digits@1")
    expect(page.get_by_role("list", name="Samples").get_by_role("listitem")).to_have_count(27)
    expect(page.get_by_role("button", name="Delete", exact=True)).to_have_count(0)  # built in


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_rooms_of_an_upload_fit(visit: Any, system: Any, scheme: Any, width: int) -> None:
    job = made(system, "fitting", "a.zip", packed(pictures(8)), source="a source " * 20)
    page = visit.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    for place in ("data", "data/fitting@1", f"jobs/{job['id']}", "jobs", "jobs/new?dataset=fitting@1"):
        visit.to(place)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".pending")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place


def test_files_are_chosen_by_keyboard(visit: Any) -> None:
    page = visit.to("data")
    asked: list[Any] = []
    page.on("filechooser", lambda one: asked.append(one))  # before the key: the browser is told in the background
    page.get_by_role("link", name="All uploads").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Choose files")).to_be_focused()
    outline = page.locator("label", has_text="Choose files").evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    until(lambda: page.wait_for_timeout(50) or asked, "the file chooser")
    assert asked[0].is_multiple()


def test_an_upload_goes_on_in_other_rooms_until_it_is_stopped(visit: Any, system: Any) -> None:
    page = visit.to("data")
    slow = page.context.new_cdp_session(page)
    rates = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
    slow.send("Network.emulateNetworkConditions", rates)
    choose(page, ("noise.npz", np.random.default_rng(1).bytes(12_000_000)))
    page.get_by_role("button", name="Upload", exact=True).click()
    bar = panel(page).get_by_role("progressbar")
    expect(bar).to_have_attribute("value", re.compile(r"^0\.0*[1-9]"))
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    page.get_by_role("link", name="Data", exact=True).click()
    expect(bar).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("noise")
    jobs = system.http.get("/v1/jobs", params={"kind": "ingest"}).json()["data"]
    assert "noise" not in [job["ingest"]["dataset"] for job in jobs]


def test_files_are_dropped_and_what_is_empty_is_said(visit: Any) -> None:
    page = visit.to("data")
    drop = page.locator(".drop")
    make = """files => {
        const held = new DataTransfer();
        for (const [name, text] of files) held.items.add(new File([text], name));
        return held;
    }"""
    drop.dispatch_event("drop", {"dataTransfer": page.evaluate_handle(make, [])})
    expect(page.get_by_role("alert")).to_contain_text("There are no files in it.")
    files = [["rows_train.csv", "label,text"], ["rows_test.csv", "label,text"]]
    drop.dispatch_event("drop", {"dataTransfer": page.evaluate_handle(make, files)})
    expect(panel(page)).to_contain_text("2 files, 20 B")
    expect(page.get_by_label("Name", exact=True)).to_have_value("rows")
