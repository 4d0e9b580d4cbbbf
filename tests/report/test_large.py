"""Studies of many comparisons: pairs, single signals, further metrics, and what probes found."""

import re
from dataclasses import replace

import numpy as np
import pytest
from markup import Reader
from scipy import stats

from penchant.pages import INK, SERIES, page_style, svg
from penchant.report import html_summary, table
from penchant.report._curves import metric_curves, profile_curves, watched_metric
from penchant.report._forest import Row, beyond, forest, reach
from penchant.report._headline import headline
from penchant.report._layout import layout
from penchant.report._merge import by_signal
from penchant.report._report import page
from penchant.report._signals import axes_of, told_apart
from penchant.report._signs import by_choices
from penchant.report._table import overall
from penchant.report._words import metric_name, row_name, said
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
    found = headline(_all(pairs, word), overall(pairs))
    assert found.advice.startswith(expected)


def test_the_headline_of_mixed_pairs_names_them(pairs: Results) -> None:
    found = headline(pairs, overall(pairs))
    own = [one for one in pairs.verdicts if one.metric == pairs.metric]
    better = [one for one in own if one.verdict == "better"]
    assert 0 < len(better) < len(own) == 6
    assert found.advice.startswith(f"In {len(better)} of 6 pairs residual is better than plain in")
    assert "depth 56 (batch norm, unnormalised)" in found.detail[: found.detail.index("Undecided")]
    for metric in {one.metric for one in pairs.verdicts} - {pairs.metric}:
        assert metric_name(metric) in found.detail.lower()


def test_the_headline_of_pairs_that_are_few_or_undecided(pairs: Results) -> None:
    """A metric that is read where runs meet has fewer pairs wherever one of them does not."""
    words = iter(["inconclusive", "descriptive"] * len(pairs.verdicts))
    changed = [replace(one, verdict=next(words)) for one in pairs.verdicts]  # type: ignore[arg-type]
    found = headline(replace(pairs, verdicts=tuple(changed)), overall(pairs))
    assert found.advice == "Undecided: of 6 pairs, 3 are undecided and 3 are only described"


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
        "Accuracy gap",
        "Loss gap at training loss 0.1",
        "Gradient decay at the start",
    ]
    places = [header.rindex(title) for title in titles]
    assert places == sorted(places)
    for verdict in pairs.verdicts:
        assert said(pairs, verdict) in header
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
            for norm in ("batch norm", "unnormalised")
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
    assert (
        "No design is shown to be better than relu in held-out accuracy: of 9 pairs, 6 are worse"
        in _text(page(results))
    )


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
        assert said(classes, verdict) in text
        assert verdict.sentence not in text
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
    numbers = text[text.index("Gradients at the first and the last hidden layer") :]
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
    assert "Accuracy gap, by classes 2 3 5 7 10" in text
    assert "Against its baseline" in _text(html_summary(pairs))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("gap_accuracy", "accuracy gap"),
        ("gap_nll", "loss gap"),
        ("accuracy_shifted_held_out", "held-out accuracy under shifts"),
        ("accuracy_features_held_out", "held-out linear-probe accuracy"),
        ("gradient_decay_start", "gradient decay at the start"),
        ("gradient_decay_end", "gradient decay at the end"),
        ("identity_share", "share of the identity path"),
        ("effective_depth", "effective depth"),
        ("r2_held_out", "held-out R²"),
        (
            "accuracy_held_out@nll_seen=0.1",
            "held-out accuracy at training loss 0.1",
        ),
    ],
)
def test_metrics_have_names(metric: str, expected: str) -> None:
    assert metric_name(metric) == expected


def test_signals_share_what_is_said_once() -> None:
    names = [f"fashion-mnist:classes={k},samples=4000,size=12" for k in (2, 10)]
    names.append("fashion-mnist:classes=10,samples=1000,size=12")
    common, short = told_apart(names)
    assert common == "fashion-mnist, 12×12 pixels"
    assert list(short.values()) == [
        "2 classes, 4,000 training samples",
        "10 classes, 4,000 training samples",
        "10 classes, 1,000 training samples",
    ]
    first, second = axes_of(names)
    assert first.heading == "classes, with 4,000 training samples"
    assert second.heading == "training samples, with 10 classes"
    assert second.values == (1000.0, 4000.0)  # what lies on both stands on both
    assert told_apart(["digits", "digits:samples=100"])[1]["digits"] == "digits"


def test_a_grid_of_signals_has_an_axis_a_row() -> None:
    grid = [f"teacher:inputs={n},samples={m}" for m in (1000, 10000) for n in (2, 10, 100)]
    axes = axes_of(grid)
    assert [axis.values for axis in axes] == [(2.0, 10.0, 100.0)] * 2
    assert [axis.heading for axis in axes] == [
        "input dimensions, with 1,000 training samples",
        "input dimensions, with 10,000 training samples",
    ]


def test_sentences_that_differ_in_numbers_alone_are_said_once() -> None:
    short = {"a:n=2": "2 inputs", "a:n=10": "10 inputs", "a:n=99": "99 inputs"}
    same = [f"{name}: {n} of 1,000 samples." for n, name in enumerate(short, 5)]
    assert by_signal(same, short) == [("", "5 to 7 of 1,000 samples.")]
    assert by_signal(["a:n=2, a:n=10: Dark."], short) == [("2 inputs; 10 inputs", "Dark.")]
    assert by_signal(["a:n=2: 1 fault.", "a:n=2: 2 fault."], short) == [
        ("2 inputs", "1 fault."),
        ("2 inputs", "2 fault."),
    ]
    assert by_signal(["b: unknown"], short) == [("", "b: unknown")]


def test_pairs_of_two_choices_are_a_table(pairs: Results) -> None:
    own = [one for one in pairs.verdicts if one.metric == pairs.metric]
    (table,) = by_choices(pairs, own)
    assert table["names"] == ["depth 8", "depth 20", "depth 56"]
    rows = {name: cells for name, _, cells in table["rows"]}  # type: ignore[attr-defined]
    assert list(rows) == ["batch norm", "unnormalised"]
    assert rows["unnormalised"][2].design == "resnet depth=56 normalisation=none"
    several = families()
    (table,) = by_choices(several, [v for v in several.verdicts if v.metric == several.metric])
    assert table["names"] == ["resnet", "vit", "convnext"]
    assert by_choices(two_depths(), two_depths().verdicts) == []


def test_other_metrics_stand_by_signal_where_each_is_judged(
    classes: Results, classes_page: str
) -> None:
    text = _text(classes_page)
    section = text[text.index("Held-out loss (nats) Classes") :]
    cells = section[: section.index("gelu")]
    for k in (2, 10):
        values = [
            run.metrics["nll_held_out"]
            for run in classes.runs
            if run.design == "relu" and run.signal.endswith(f"={k}")
        ]
        assert f" {np.mean(values):.3f} " in cells


def test_gradient_decay_in_the_table_is_the_metric(pairs: Results, pairs_page: str) -> None:
    text = _text(pairs_page)
    numbers = text[text.index("Gradients at the first and the last hidden layer, in numbers") :]
    label = "plain depth=20 normalisation=none"
    row = numbers[numbers.index(label) :].split("resnet depth")[0]
    for metric in ("gradient_decay_start", "gradient_decay_end"):
        mean = np.mean([run.metrics[metric] for run in pairs.runs if run.design == label])
        assert f" shrinks {mean:.2f} " in row


def test_what_is_only_measured_at_the_end_is_no_curve(classes: Results) -> None:
    runs = tuple(
        replace(
            run,
            curve=(
                *run.curve[:-1],
                replace(run.curve[-1], metrics={**run.curve[-1].metrics, "late": 1.0}),
            ),
        )
        for run in classes.runs
    )
    assert watched_metric(replace(classes, runs=runs, metric="late")) == "accuracy_held_out"


def test_a_difference_far_beyond_the_others_is_an_arrow_with_its_number() -> None:
    rows = [Row("a", gain, (gain - 1, gain + 1), "better") for gain in (0.5, 1.0, -0.5, 2.0)]
    wild = Row("b", -55.15, (-61.0, -49.0), "worse")
    limits = reach([*rows, wild], 0.5)
    assert limits == reach(rows, 0.5)
    assert beyond(wild, limits) == (limits[0], "−55")
    assert beyond(rows[0], limits)[1] == ""
    with page_style():
        text = svg(forest([*rows, wild], 0.5, limits)[0], "wild", "")
    assert "−55" in text
