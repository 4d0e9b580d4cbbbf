"""Studies of many comparisons: pairs, single signals, further metrics, and what probes found."""

import re
from dataclasses import replace

import numpy as np
import pytest
from markup import Reader
from scipy import stats

from penchant.pages import INK, SERIES
from penchant.report import html_summary, table
from penchant.report._curves import metric_curves, profile_curves
from penchant.report._headline import headline
from penchant.report._layout import layout
from penchant.report._report import page
from penchant.report._table import overall
from penchant.report._trend import axes_of
from penchant.report._words import metric_name, row_name
from penchant.study import Results, Verdict

from .large_studies import families, residual_pairs, trend, two_depths


@pytest.fixture(scope="module")
def pairs() -> Results:
    return residual_pairs()


@pytest.fixture(scope="module")
def pairs_page(pairs: Results) -> str:
    return page(pairs)


@pytest.fixture(scope="module")
def classes() -> Results:
    return trend()


@pytest.fixture(scope="module")
def classes_page(classes: Results) -> str:
    return page(classes)


def _text(page: str) -> str:
    return Reader(page).text.replace("\N{NO-BREAK SPACE}", " ")


def _alts(page: str) -> list[str]:
    return re.findall(r'<svg [^>]*aria-label="([^"]*)"', page)


def _all(results: Results, word: str) -> Results:
    """The same study with one word for all verdicts on the primary metric."""

    def changed(one: Verdict) -> Verdict:
        return replace(one, verdict=word) if one.metric == results.metric else one  # type: ignore[arg-type]

    return replace(results, verdicts=tuple(map(changed, results.verdicts)))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("better", "Use residual: in each of 6 pairs it is better than plain in held-out accuracy"),
        ("worse", "Keep plain: in each of 6 pairs residual is worse in held-out accuracy"),
        ("equivalent", "No difference that matters: in each of 6 pairs residual is equivalent"),
        ("inconclusive", "Undecided: 6 pairs do not show residual to be better or worse than"),
        ("descriptive", "Nothing is decided: 6 pairs in held-out accuracy are only described"),
    ],
)
def test_the_headline_of_pairs_counts_verdicts(pairs: Results, word: str, expected: str) -> None:
    said = headline(_all(pairs, word), overall(pairs))
    assert said.advice.startswith(expected)


def test_the_headline_of_mixed_pairs_names_them(pairs: Results) -> None:
    said = headline(pairs, overall(pairs))
    own = [one for one in pairs.verdicts if one.metric == pairs.metric]
    better = [one for one in own if one.verdict == "better"]
    assert 0 < len(better) < len(own) == 6
    assert said.advice.startswith(f"In {len(better)} of 6 pairs residual is better than plain in")
    assert "depth 56, no norm" in said.detail[: said.detail.index("Undecided")]
    for metric in {one.metric for one in pairs.verdicts} - {pairs.metric}:
        assert metric_name(metric) in said.detail.lower()


def test_a_partner_is_each_designs_own_baseline(pairs: Results, pairs_page: str) -> None:
    rows = table(pairs)
    assert list(rows["baseline"].drop_duplicates()) == list(
        dict.fromkeys(pairs.baselines[label] for label in pairs.designs)
    )
    assert (rows["verdict"] == "baseline").sum() == 6
    for _, group in rows.groupby("baseline"):
        mine, its = group[group["verdict"] != "baseline"], group[group["verdict"] == "baseline"]
        difference = float(mine["mean"].iloc[0] - its["mean"].iloc[0])
        assert float(mine["difference"].iloc[0]) == pytest.approx(difference)
    assert pairs_page.count('class="baseline"') == 6
    assert "Against its baseline" in _text(pairs_page)
    assert "skip=none: for each design, the one that differs in this alone" in _text(pairs_page)


def test_verdicts_stand_by_metric_before_everything_else(pairs: Results, pairs_page: str) -> None:
    text = _text(pairs_page)
    header = text[: text.index("The designs")]
    titles = [
        "Held-out accuracy decides",
        "Generalisation gap in accuracy",
        "Generalisation gap in negative log-likelihood at seen negative log-likelihood 0.1",
        "Gradient decay at the start",
    ]
    places = [header.rindex(title) for title in titles]
    assert places == sorted(places)
    for verdict in pairs.verdicts:
        assert verdict.sentence in header
    assert "That is 24 comparisons (4 × 6), fixed before the first run." in text


def test_what_is_compared_has_one_pair_of_colours_everywhere(pairs: Results) -> None:
    plan = layout(pairs, pairs.designs)
    assert [panel.title for panel in plan.panels] == ["depth 8", "depth 20", "depth 56"]
    colours = {
        skip: {plan.styles[one].colour for one in pairs.designs if one.startswith(skip)}
        for skip in ("plain", "resnet")
    }
    assert colours == {"plain": {INK}, "resnet": {SERIES[0]}}
    for panel in plan.panels:
        styles = [plan.styles[one] for one in panel.designs]
        assert len({(one.colour, str(one.dash)) for one in styles}) == len(styles) == 4
        assert {one.name for one in styles} == {
            f"{skip}, {norm}"
            for skip in ("plain", "residual")
            for norm in ("batch norm", "no norm")
        }


def test_families_have_a_panel_each_and_activations_a_colour() -> None:
    results = families()
    plan = layout(results, results.designs)
    assert [panel.title for panel in plan.panels] == ["resnet", "vit", "convnext"]
    for activation in ("relu", "gelu", "gaussian", "sine"):
        own = {plan.styles[f"{f}+{activation}"] for f in ("resnet", "vit", "convnext")}
        assert len(own) == 1
    assert plan.styles["vit+relu"].colour == INK
    assert row_name(results, "vit+gelu") == "vit, gelu"
    assert "In 6 of 9 pairs the other design is worse than relu" in _text(page(results))


def test_few_designs_share_one_chart(classes: Results) -> None:
    assert layout(classes, classes.designs).single
    assert layout(two_depths(), two_depths().designs).single


def test_signals_that_differ_in_one_number_are_an_axis() -> None:
    teacher = [f"teacher:inputs={n},noise=0.1" for n in (1000, 2, 100)]
    (axis,) = axes_of(teacher)
    assert axis.values == (2.0, 100.0, 1000.0)
    assert (axis.title, axis.logarithmic) == ("input dimensions", True)
    two = axes_of(["a:classes=2", "a:classes=5", "a:samples=500", "a:samples=2000", "digits"])
    assert [one.title for one in two] == ["classes", "training samples", ""]
    assert [one.signals for one in two][2] == ("digits",)
    assert not two[0].logarithmic
    assert [one.values for one in axes_of(["a:size=8,classes=2", "a:size=14,classes=5"])] == [()]
    assert [one.values for one in axes_of(["a:noise=0.1", "a:noise=1e-3"])] == [(0.001, 0.1)]


def test_each_signal_has_its_verdict_and_the_trend_claims_nothing(
    classes: Results, classes_page: str
) -> None:
    text = _text(classes_page)
    for verdict in classes.verdicts:
        assert verdict.sentence in text
    assert "How the differences change with the classes was not tested." in text
    assert "the trend is drawn and not tested" in text
    assert "gelu: equivalent at 2, 3, 5, 7 and 10 classes." in text
    assert "That is 30 comparisons (2 × 5 × 3), fixed before the first run." in text
    alts = [alt for alt in _alts(classes_page) if "over classes" in alt]
    assert len(alts) == 3
    for alt in alts:
        assert len(re.findall(r"(?:better|worse|equivalent|inconclusive)(?:;|\.)", alt)) == 5


def test_a_table_has_a_row_for_each_design_on_each_signal(classes: Results) -> None:
    rows = table(classes)
    assert len(rows) == 5 * 4
    first = rows[rows["signal"] == "fashion-mnist:classes=2"].set_index("design")
    scores = [
        run.metrics[classes.metric]
        for run in classes.runs
        if run.design == "sine" and run.signal == "fashion-mnist:classes=2"
    ]
    low, high = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    np.testing.assert_allclose(first.loc["sine", ["low", "high"]].astype(float), [low, high])
    assert first.loc["sine", "verdict"] == "worse"


def test_a_single_judged_signal_reads_as_ever() -> None:
    results = trend(("fashion-mnist:classes=2",))
    assert "signal" not in table(results)
    assert 'id="trend"' not in page(results)
    assert headline(results, overall(results)).advice.startswith("Keep relu: on this data set")


def test_bands_are_t_intervals_or_span_the_seeds(classes: Results) -> None:
    one = trend(("fashion-mnist:classes=2",))
    few = replace(one, runs=tuple(run for run in one.runs if run.seed < 3))
    for results, expected in ((one, "t"), (few, "span")):
        (line,) = metric_curves(results, ["relu"], "nll_seen")[0]
        values = np.array(
            [
                [moment.metrics["nll_seen"] for moment in run.curve]
                for run in results.runs
                if run.design == "relu"
            ]
        )
        low, high = values.min(0), values.max(0)
        if expected == "t":
            half = stats.t.ppf(0.975, 5) * values.std(0, ddof=1) / np.sqrt(6)
            low, high = values.mean(0) - half, values.mean(0) + half
        np.testing.assert_allclose(line.low, low)
        np.testing.assert_allclose(line.high, high)


def test_gradients_by_depth_are_geometric_means(pairs: Results) -> None:
    label = "plain depth=20 normalisation=none"
    (line,) = profile_curves(pairs, [label], "gradient_start", logarithmic=True)
    rows = [run.profiles["gradient_start"] for run in pairs.runs if run.design == label]
    np.testing.assert_allclose(line.mean, stats.gmean(rows, axis=0))
    assert (line.low < line.mean).all() and (line.mean < line.high).all()


def test_the_probes_are_drawn_told_and_listed(pairs: Results, pairs_page: str) -> None:
    alts = _alts(pairs_page)
    for when in ("at the start", "at the end"):
        own = [alt for alt in alts if alt.startswith(f"Norm of the gradient by depth {when}")]
        assert len(own) == 3
        assert all("plain depth" in alt and "resnet depth" in alt for alt in own)
    paths = [alt for alt in alts if alt.startswith("Share of the gradient carried by paths")]
    assert paths and all("effective depth" in alt and "plain" not in alt for alt in paths)
    assert any("of 27 blocks" in alt for alt in paths)
    assert any(alt.startswith("Share of each block") for alt in alts)
    text = _text(pairs_page)
    assert "Without residual blocks: plain depth=8" in text
    numbers = text[text.index("Gradients at the first and the last layer") :]
    assert re.search(r"plain depth=56 normalisation=none 56 \d", numbers)


def test_networks_of_several_depths_share_relative_depth() -> None:
    results = two_depths()
    runs = tuple(
        replace(run, profiles={**run.profiles, "gradient_start": (0.1, 0.2, 0.3)})
        if run.design == "plain"
        else run
        for run in results.runs
    )
    text = page(replace(results, runs=runs))
    assert "depth: 0 % input, 100 % output" in text
    assert "layer, from the input" in text  # at the end they still agree


def test_gradients_that_vanish_or_are_unknown_leave_a_page() -> None:
    results = two_depths()
    odd = (0.0, float("nan"), 1e-300, 1e-3, 1e-2)
    runs = tuple(replace(run, profiles={"gradient_start": odd}) for run in results.runs)
    read = Reader(page(replace(results, runs=runs)))
    assert "Gradients by depth" in read.text
    assert "nan" not in read.text
    runs = tuple(replace(run, profiles={"gradient_end": (0.0,) * 4}) for run in results.runs)
    assert "Gradients by depth" not in Reader(page(replace(results, runs=runs))).text


def test_a_notebook_has_the_verdicts_on_each_signal(classes: Results, pairs: Results) -> None:
    text = _text(html_summary(classes))
    assert "Held-out accuracy, by classes 2 3 5 7 10" in text
    assert "Generalisation gap in accuracy, by classes 2 3 5 7 10" in text
    assert "Against its baseline" in _text(html_summary(pairs))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("gap_accuracy", "generalisation gap in accuracy"),
        ("gap_nll", "generalisation gap in negative log-likelihood"),
        ("accuracy_shifted_held_out", "held-out accuracy under shifts"),
        (
            "accuracy_features_held_out",
            "held-out accuracy of a linear probe on classes that were not trained",
        ),
        ("gradient_decay_start", "gradient decay at the start"),
        ("gradient_decay_end", "gradient decay at the end"),
        ("identity_share", "share of the identity path"),
        ("effective_depth", "effective depth"),
        ("r2_held_out", "held-out R²"),
        (
            "accuracy_held_out@nll_seen=0.1",
            "held-out accuracy at seen negative log-likelihood 0.1",
        ),
    ],
)
def test_metrics_have_names(metric: str, expected: str) -> None:
    assert metric_name(metric) == expected
