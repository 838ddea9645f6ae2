"""What a training prints is kept, C code's output too."""

from stack import Stack


def test_the_output_of_c_code_becomes_log_lines(stack: Stack) -> None:
    """oneDNN, which computes the convolutions, prints by C's printf a line for everything it does."""
    stack.start_api()
    stack.start_worker(ONEDNN_VERBOSE="1")
    body = {"dataset": "digits", "network": {"family": "cnn"}, "data": {"resize": [12, 12]}}
    job = stack.ended(stack.submit({**body, "hyperparameters": {"steps": 1}}))
    assert job["status"] == "succeeded", job["error"]
    lines = [event["data"]["line"] for event in stack.events(job["id"], "log")]
    assert any("convolution" in line for line in lines if line.startswith("onednn_verbose"))
    assert stack.http.get("/v1/jobs").status_code == 200
    stack.stop_all()
