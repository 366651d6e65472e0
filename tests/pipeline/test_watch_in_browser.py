"""The page of a training under way as a person sees it, in Chromium."""

import threading
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from pipeline.watch import _Server
from tests.browser import (
    VIEWS,
    WIDTHS,
    assert_contrast,
    assert_fits,
    assert_tab_order,
    opened,
    screenshot,
)
from tests.pipeline.recording import STEPS, Recording


@pytest.fixture
def recording(tmp_path):
    with Recording(tmp_path) as recording:
        yield recording


@pytest.fixture
def address(tmp_path):
    with serve(tmp_path) as address:
        yield address


@contextmanager
def serve(runs_dir):
    with _Server.open(runs_dir, None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


def sheets_asked_for(page):
    return page.evaluate(
        "performance.getEntriesByType('resource').map(one => one.name)"
        ".filter(name => name.includes('/sheets/')).map(name => name.match(/epoch-[0-9]*/)[0])"
    )


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_the_page_fits_and_can_be_read(browser, recording, address, tmp_path, width, scheme):
    recording.start().epochs(12)
    recording.mark("running", progress={
        "step": 12 * STEPS + 1, "epoch": 13, "images_per_second": 24.0, "seconds_left": 150.0,
        "share": 0.5,
    })  # fmt: skip
    with opened(browser, address, width, scheme) as page:
        expect(page.get_by_role("img", name="Line chart of loss; at epoch 12")).to_be_visible()
        expect(page.get_by_role("img", name="Line chart of logit; at epoch 12")).to_be_visible()
        expect(page.get_by_role("img", name="Line chart of KID")).not_to_be_visible()
        for fact in ("epoch 13", "step 37", "done 50%", "time left 2m30s"):
            label, value = fact.rsplit(" ", 1)
            row = page.locator("dl div").filter(has=page.get_by_text(label, exact=True))
            expect(row.locator("dd")).to_have_text(value)
        picture = page.get_by_role("img", name="Sixteen pictures drawn after epoch 12")
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 138
        assert_fits(page, width)
        assert_contrast(page)
        screenshot(page, tmp_path / "watch.png", width)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_slider_follows_the_training_until_it_is_moved(browser, recording, address, width):
    recording.start().epochs(2)
    with opened(browser, address, width) as page:
        slider, output = page.get_by_label("Move through the training"), page.locator("output")
        expect(output).to_have_text("Epoch 2")
        assert_tab_order(page)
        recording.epochs(1)
        expect(output).to_have_text("Epoch 3")
        assert sheets_asked_for(page) == ["epoch-0002", "epoch-0003"]
        for key, caption in (("ArrowLeft", "Epoch 2"), ("Home", "Before training")):
            slider.press(key)
            expect(output).to_have_text(caption)
            assert slider.get_attribute("aria-valuetext") == caption
        recording.epochs(1)
        expect(page.get_by_role("img", name="Line chart of loss; at epoch 4")).to_be_visible()
        assert output.inner_text() == "Before training"
        slider.press("End")
        expect(output).to_have_text("Epoch 4")
        expect(page.get_by_role("img", name="drawn after epoch 4")).to_be_visible()
        assert sheets_asked_for(page) == [f"epoch-{epoch:04d}" for epoch in (2, 3, 0, 4)]


def test_a_training_is_waited_for_and_replaced_by_the_next_one(browser, tmp_path, address):
    with opened(browser, address, 390) as page:
        status = page.locator("#status")
        expect(status).to_have_text(f"Waiting for a training to begin in {tmp_path}/checkpoints.")
        assert_fits(page, 390)
        expect(page.locator("section, figure").locator("visible=true")).to_have_count(0)
        with Recording(tmp_path) as first:
            expect(status).to_have_text("Under way.")
            first.start().epochs(3)
            expect(page.locator("output")).to_have_text("Epoch 3")
            page.get_by_label("Move through the training").press("Home")
            first.mark("finished")
            with Recording(tmp_path, seed=1) as second:
                second.start().epochs(1)
                expect(page.locator("output")).to_have_text("Epoch 1")
                expect(page.get_by_text(f"DCGAN, training {second.folder.name}")).to_be_visible()


def test_it_says_when_nobody_answers_any_more_and_goes_on(browser, recording, tmp_path):
    recording.start()
    context = browser.new_context()
    with serve(tmp_path) as address:
        page = context.new_page()
        page.goto(address)
        expect(page.locator("#status")).to_have_text("Under way.")
    expect(page.locator("#status")).to_contain_text("Nobody answers any more")
    expect(page.locator("output")).to_have_text("Before training")
    recording.epochs(1)
    with serve(tmp_path) as again:
        assert again == address
        expect(page.locator("#status")).to_have_text("Under way.")
        expect(page.locator("output")).to_have_text("Epoch 1")
    context.close()
