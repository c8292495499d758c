"""The report page in a real Chromium: opened from a file, used as a reader uses it."""

import pytest

from harness.leaderboard import build
from harness.records import Component, Estimate, LabelBudget, Trial, TrialResult
from harness_reporters.html import Html

VIEWS = ("overview", "suites", "leaderboard", "diagnosis", "answers", "compare", "about")


def models(browser):
    return browser.texts(".leaders tbody .model")


def test_it_opens_from_a_file_without_asking_anybody_for_anything(page, report):
    for view in VIEWS:
        browser = page(view=view, task="topics")
        asked = [address for address in browser.requests() if not address.startswith("data:")]
        assert {address.partition("#")[0] for address in asked} == {report}
        assert not browser.js("return performance.getEntriesByType('resource').map((one) => one.name)")
        assert browser.complaints() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(page, view, width, dark):
    browser = page()
    browser.size(width)
    browser.dark(dark)
    browser = page_at(browser, view)
    assert browser.violations() == []


def page_at(browser, view):
    browser.js("location.hash = arguments[0]", f"view={view}&task=topics")
    browser.wait(f"return document.querySelector('.view.{view}')")
    browser.settled()
    if view in ("answers", "compare"):
        browser.click(".entry summary")
        browser.wait("return document.querySelector('.entry[open] .why')")
    return browser


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_phone(page, view):
    browser = page()
    browser.size(360)
    page_at(browser, view)
    assert browser.js("return document.documentElement.scrollWidth") <= 360


def test_texts_of_models_and_data_stay_texts(page):
    for view in VIEWS:
        browser = page_at(page(), view)
        assert browser.js("return window.hacked") is None
        assert not browser.js("return document.querySelectorAll('main img, main script').length")
        assert browser.complaints() == []
    browser = page(view="answers", task="topics", sample="row/5")
    assert "</script><script>window.hacked = 1" in browser.texts(".entry[open] pre")[-1]
    browser = page(view="answers", task="stories", sample="row/5")
    assert any("onerror='window.hacked = 1'" in text for text in browser.texts(".entry[open] pre"))


def test_a_script_that_comes_in_may_not_run(page):
    """The policy, not only our care: an element that is put into the page by whatever way is refused."""
    browser = page()
    browser.js("const one = document.createElement('a'); one.href = 'javascript:window.hacked = 1'; one.click()")
    assert browser.js("return window.hacked") is None
    refused = browser.driver.execute_script(
        "try { document.body.innerHTML = '<b>x</b>'; return '' } catch (e) { return e.name }"
    )
    assert refused == "TypeError"
    assert browser.complaints()


def test_columns_sort_by_number_and_keep_their_order_in_the_address(page):
    browser = page(view="leaderboard", task="topics")
    by_rank = models(browser)
    assert by_rank[:2] == ["encoder", "tfidf"]
    browser.click("[id='sort-sort-p50 ms']")
    fastest = models(browser)
    assert fastest[0] == "tfidf"
    assert browser.js("return document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "ascending"
    assert browser.js("return document.activeElement.id") == "sort-sort-p50 ms"
    browser.click("[id='sort-sort-p50 ms']")
    assert models(browser) == fastest[::-1]
    assert browser.hash | {"sort": "p50 ms", "dir": "desc"} == browser.hash
    browser.driver.refresh()
    browser.wait("return document.querySelector('.leaders')")
    assert models(browser) == fastest[::-1]


def test_means_over_a_suite_sort_by_each_kind_and_lead_to_their_tasks(page):
    browser = page(view="suites")
    assert models(browser)[:2] == ["encoder", "tfidf"]
    assert browser.texts(".leaders tbody .rank") == ["1", "2", "3", "\u2014"]
    assert browser.texts(".leaders tbody tr:last-child td")[-3:] == ["1 of 2", "0.700\n[0.700, 0.700]", "\u2014"]
    browser.click("[id='sort-sort-kind generation']")
    assert models(browser)[1:] == ["tfidf", "encoder", "language-model"], "the highest first, and what has none last"
    assert browser.hash["sort"] == "kind generation"
    browser.click("[id='sort-sort-mean']")
    assert models(browser)[:2] == ["encoder", "language-model"]
    assert browser.texts("section h3") == ["both"]
    browser.click("section .caption a", 1)
    browser.wait("return document.querySelector('.view.leaderboard')")
    assert browser.hash["task"] == "stories"


def test_rows_are_filtered_by_words_model_and_strategy(page):
    browser = page(view="leaderboard", task="topics")
    browser.type("q", "few-shot")
    browser.wait("return document.querySelectorAll('.leaders tbody tr').length === 1")
    assert models(browser) == ["language-model"]
    assert browser.texts(".told")[0] == "1 of 4 rows"
    browser.click(".fields button.quiet")
    assert len(models(browser)) == 4
    browser.choose("strategy", "finetune")
    assert models(browser) == ["encoder", "tfidf"]
    browser.choose("model", "tfidf")
    assert models(browser) == ["tfidf"]
    assert len(browser.js("return [...document.querySelectorAll('.point')]")) == 1


def test_a_context_has_a_column_of_its_own(page):
    browser = page(view="leaderboard", task="topics", context="films")
    assert "accuracy in films" in " ".join(browser.texts(".leaders thead th"))
    assert browser.texts(".leaders tbody tr:first-child td")[2].startswith("0.875")


def test_intervals_are_bars_on_a_common_scale(page):
    browser = page(view="leaderboard", task="topics")
    bars = browser.js(
        "return [...document.querySelectorAll('.leaders .bar')].map((one) => ['low', 'high', 'value']"
        ".map((name) => parseFloat(one.style.getPropertyValue(`--${name}`))))"
    )
    assert len(bars) == 4
    assert all(low < value < high for low, high, value in bars)
    # The first row's score is the mean of its seeds, 0.9 and 0.85; the scale goes from 0.2 to 1.
    assert bars[0] == pytest.approx([100 * (x - 0.2) / 0.8 for x in (0.875 - 0.1, 0.875 + 0.08, 0.875)], abs=0.1)


def test_the_front_holds_what_nothing_beats(page):
    browser = page(view="leaderboard", task="topics")
    ranks = browser.js("return [...document.querySelectorAll('.on-front text')].map((one) => one.textContent)")
    assert sorted(ranks) == ["1", "2"]
    label = browser.js("return document.querySelector('.chart').getAttribute('aria-label')")
    assert label.startswith("accuracy against p50 latency, ms. Nothing beats in both: 2 tfidf")
    browser.choose("metric", "macro_f1")
    assert browser.js("return document.querySelector('.chart').getAttribute('aria-label')").startswith("macro_f1")


def test_learning_curves_are_drawn_with_a_dashed_level(browser, tmp_path):
    def a_trial(strategy, labels, score, curve=""):
        component = Component(strategy, None, {"train_size": labels} if curve else {})
        key = f"{strategy}{labels}"
        trial = Trial(key, Component("m"), Component("t"), component, 0, "test", None, "rows", 50, {}, curve=curve)
        estimate = {"accuracy": Estimate(score, score - 0.05, score + 0.05)}
        return TrialResult(trial, "finished", metrics=estimate, budget=LabelBudget(labels))

    scores = {8: 0.5, 32: 0.7, 128: 0.9}
    trials = [a_trial("probe", labels, score, "probe") for labels, score in scores.items()]
    board = build([*trials, a_trial("zero-shot", 0, 0.6)], lambda _: [])
    path = tmp_path / "curves.html"
    path.write_text(Html().render(board).text)
    browser.open(path.as_uri())
    dots = browser.js("return [...document.querySelectorAll('.curve circle')].map((one) => +one.getAttribute('cy'))")
    assert len(dots) == 3
    assert dots == sorted(dots, reverse=True)
    assert browser.js("return document.querySelectorAll('.curve.flat .line').length") == 1
    assert browser.texts("section[aria-labelledby=curves] .legend li") == ["m · probe", "m · zero-shot"]


def test_the_confusion_matrix_leads_to_its_answers(page):
    browser = page(view="diagnosis", task="topics", trial="topics-3")
    rows = browser.texts(".confusion tbody tr")
    assert [row.split()[0] for row in rows] == ["arts", "sports", "tech"]
    wanted = int(browser.texts(".confusion tbody tr:first-child a")[1])
    browser.click(".confusion tbody tr:first-child a", 1)
    browser.wait("return document.querySelector('.view.answers .entry')")
    assert browser.hash | {"target": "arts", "said": "sports", "trial": "topics-3"} == browser.hash
    assert len(browser.texts(".entry")) == wanted
    assert set(browser.texts(".verdict")) == {"sports for arts"}
    browser.driver.back()
    browser.wait("return document.querySelector('.view.diagnosis .confusion')")


def test_the_reliability_diagram_says_its_numbers(page):
    browser = page(view="diagnosis", task="topics", trial="topics-3")
    assert "Expected calibration error 0." in browser.texts("figcaption")[0]
    assert browser.js("return document.querySelectorAll('.calibrated').length") >= 1
    browser = page(view="diagnosis", task="stories")
    assert "Its answers have no scores." in browser.texts("main")[0]


def test_a_sample_opens_with_prompt_answer_scores_and_why(page):
    browser = page(view="answers", task="topics", trial="topics-2", show="wrong")
    assert browser.texts(".told")[0] == "23 of 60 answers"
    browser.click(".entry summary")
    browser.wait("return document.querySelector('.entry[open] .why')")
    why = browser.texts(".entry[open] .why")[0]
    assert why.startswith("Wrong: “sports” has the highest score; the target “arts” comes ")
    text = browser.texts(".entry[open]")[0]
    for said in (
        "Asked (LogLikelihood)",
        "2 demonstrations",
        "Text 36 about arts\nTopic:",
        '" sports"',
        "120 tokens read",
    ):
        assert said in text, said
    assert browser.texts(".entry[open] .scores .chosen th") == ["sports"]
    assert browser.hash["sample"] == "row/36"
    browser.click(".entry[open] .demonstrations summary")
    assert "Sort it.\nSolved 1\nSolved 2" in browser.texts(".entry[open] .demonstrations pre")[0]


def test_a_link_to_a_sample_opens_it_on_its_page(page):
    browser = page(view="answers", task="topics", trial="topics-2", sample="row/59")
    assert browser.texts(".entry[open] .why")[0] == "Failed, so it is not scored: out of memory."
    assert "page 3 of 3" in browser.texts(".pager")[0]
    assert (
        "the data has changed"
        in page(view="answers", task="topics", trial="topics-3", sample="row/1").texts(".entry[open]")[0]
    )


def test_answers_are_filtered_searched_and_paged(page):
    browser = page(view="answers", task="topics", trial="topics-2")
    assert len(browser.texts(".entry")) == 25
    browser.click(".pager button", 3)  # the last page
    assert len(browser.texts(".entry")) == 10
    browser.choose("context", "films")
    assert browser.texts(".told")[0] == "31 of 60 answers"
    browser.type("q", "text 14 about")
    browser.wait("return document.querySelectorAll('.entry').length === 1")
    assert browser.texts(".id") == ["row/14"]
    assert browser.js("return document.activeElement.id") == "field-q"
    browser.choose("context", "")
    browser.type("q", "x")
    browser.wait("return document.querySelector('.empty')")


def test_two_trials_are_compared_side_by_side(page):
    browser = page(view="compare", task="topics", a="topics-0", b="topics-3")
    counts = dict(reversed(text.split(" ", 1)) for text in browser.texts(".counts a"))
    assert counts == {"only A right": "12", "only B right": "0", "both wrong": "6", "both right": "42"}
    assert "+0.200 [" in browser.texts(".headline")[0]
    assert "p < 0.001" in browser.texts(".headline")[0]
    assert browser.texts(".told")[0] == "12 of 60 samples"
    browser.click(".entry summary")
    browser.wait("return document.querySelector('.entry[open] .sides')")
    assert browser.texts(".sides > section > h3") == ["A: encoder · finetune · seed 0", "B: tfidf · finetune"]
    assert [text.split(":")[0] for text in browser.texts(".entry[open] .why")] == ["Right", "Wrong"]
    browser.click(".counts a", 2)
    browser.wait("return document.querySelectorAll('.entry').length === 6")
    browser = page(view="compare", task="topics", a="topics-3", b="topics-0")
    assert "\u22120.200 [" in browser.texts(".headline")[0]


def test_a_file_that_holds_a_part_of_the_samples_says_so(browser, drawn_report):
    said = "of 60 samples, drawn by their names, are in this file"
    for view in ("answers", "compare"):
        browser.open(f"{drawn_report}#view={view}&task=topics")
        (caption,) = [text for text in browser.texts(".caption") if said in text]
        shown = int(caption.removeprefix("The answers to ").split(" ")[0])
        assert 0 < shown < 60
    counts = sum(int(text.split(" ")[0]) for text in browser.texts(".counts a"))
    assert counts in (shown, shown - 1), "one sample of a trial failed, and is not compared"
    browser.open(f"{drawn_report}#view=diagnosis&task=topics")
    assert any("of them those that are in this file" in text for text in browser.texts(".caption"))
    assert browser.complaints() == []


def test_a_file_that_holds_all_samples_says_nothing_of_it(page):
    for view in ("answers", "compare", "diagnosis"):
        assert not any("in this file" in text for text in page(view=view, task="topics").texts(".caption"))


def test_keys_alone_get_everywhere(page):
    from selenium.webdriver.common.keys import Keys

    browser = page(view="answers", task="topics")
    active = browser.driver.switch_to.active_element
    active.send_keys(Keys.TAB)
    assert browser.js("return document.activeElement.className") == "skip"
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.js("return document.activeElement.id") == "main"
    browser.js("document.querySelector('.entry summary').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.wait("return document.querySelector('.entry[open] .why')")


def test_the_theme_is_chosen_and_remembered(page):
    browser = page()
    dark = "return getComputedStyle(document.body).backgroundColor"
    light = browser.js(dark)
    browser.click("#theme")
    assert browser.js(dark) == light
    browser.click("#theme")
    assert browser.js(dark) != light
    browser.driver.refresh()
    browser.wait("return document.querySelector('h2')")
    assert browser.js(dark) != light
    browser.click("#theme")
    assert browser.texts("#theme") == ["Theme: auto"]


def test_print_shows_the_table_without_the_controls(page):
    browser = page(view="leaderboard", task="topics")
    browser.dark(True)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    paper = browser.js("return getComputedStyle(document.body).backgroundColor")
    hidden = browser.js(
        "return ['nav', '.fields', '#theme'].map((one) => document.querySelector(one).getClientRects().length)"
    )
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert hidden == [0, 0, 0]
    assert paper == "rgb(251, 251, 250)"  # white enough, whatever the theme is


def test_a_place_that_is_not_there_shows_the_nearest(page):
    browser = page(view="nonsense", task="nowhere", trial="x", page="99", sort="what", sample="none")
    assert browser.texts("h2") == ["Overview"]
    browser = page(view="answers", task="topics", trial="x", page="99", sample="none")
    assert browser.texts(".entry")
    assert browser.complaints() == []
