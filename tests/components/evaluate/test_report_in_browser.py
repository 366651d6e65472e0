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


@pytest.mark.parametrize("width", [390, 438, 900])  # 438: the panel of Kubeflow's page
def test_the_scores_can_be_read_at_any_width(browser, write_page, width):
    with opened(browser, write_page(), width) as page:
        cells = page.get_by_role("region", name="Scores").locator("td")
        assert cells.count() > 7
        for cell in cells.all():
            box = cell.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        labels = cells.evaluate_all(
            "all => all.map(one => getComputedStyle(one, '::before').content)"
        )
        heads = page.locator("thead th[scope=col]").first.is_visible()
        assert heads or {'"KID"', '"Recall"'} <= set(labels)


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
