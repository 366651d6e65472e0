"""The report as a person sees it, in Chromium."""

import pytest

from tests.browser import (
    VIEWS,
    WIDTHS,
    assert_contrast,
    assert_fits,
    assert_tab_order,
    opened,
    screenshot,
)


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_the_page_fits_and_can_be_read(browser, write_page, tmp_path, width, scheme):
    with opened(browser, write_page(), width, scheme) as page:
        assert_fits(page, width)
        assert_contrast(page)
        screenshot(page, tmp_path / "report.png", width)
        for summary in page.locator("summary").all():
            summary.click()
        assert page.locator("details:not([open])").count() == 0
        assert_fits(page, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_all_of_it_can_be_reached_by_keyboard(browser, write_page, width):
    with opened(browser, write_page(), width) as page:
        assert_tab_order(page)
        page.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert page.locator("details[open]").count() == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_the_slider_picks_a_sheet_by_keyboard(browser, write_page, width):
    with opened(browser, write_page(), width) as page:
        slider, output = page.get_by_label("Move through the training"), page.locator("output")
        assert slider.get_attribute("aria-valuetext") == "Epoch 80"
        slider.focus()
        for key, caption in (("ArrowLeft", "Epoch 77"), ("Home", "Before training")):
            page.keyboard.press(key)
            assert output.inner_text() == slider.get_attribute("aria-valuetext") == caption
            shown = page.locator("#sheets img:visible")
            assert shown.count() == 1
            drawn = "Epoch 0" if caption == "Before training" else caption
            assert shown.get_attribute("alt").lower().endswith(drawn.lower())


def test_a_table_wider_than_the_window_scrolls_by_keyboard(browser, write_page):
    with opened(browser, write_page(), 390) as page:
        region = page.get_by_role("region", name="Scores").locator(".scroll")
        region.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_without_scripts_all_sheets_stand_side_by_side(browser, write_page):
    with opened(browser, write_page(), 1280, java_script_enabled=False) as page:
        assert page.locator("#sheets img:visible").count() == 40
        assert not page.locator("input").is_visible()


def test_the_slider_works_in_a_frame_like_that_of_kubeflow(browser, write_page, tmp_path):
    html = write_page().read_text().replace("&", "&amp;").replace('"', "&quot;")
    frame = tmp_path / "frame.html"
    frame.write_text(f'<iframe sandbox="allow-scripts" srcdoc="{html}"></iframe>')
    with opened(browser, frame, 1280) as page:
        report = page.frame_locator("iframe")
        report.locator("input").press("Home")
        assert report.locator("output").inner_text() == "Before training"
