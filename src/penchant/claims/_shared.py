"""The notes on shared parameters."""

from penchant.claims import _output_shape_checks as shapes
from penchant.claims import _routing_checks as routing
from penchant.claims import _scanning_checks as scanning
from penchant.claims import _shared_figures as figures
from penchant.claims import _time_delay as time_delay
from penchant.claims._claim import Claim, Statement
from penchant.claims._rules import comparisons, exactly

SCAN_EQUALS_CONV = Claim(
    id="scan-equals-conv",
    words="An MLP that scans 1-D data and “takes 8 inputs at a time”, with neurons that “do the "
    "same work” sharing parameters, is the CNN whose “first hidden layer has 4 filters of "
    "kernel-width 2 and stride 2; the second layer has 3 filters of kernel-width 2 and stride 2; "
    "the third layer has 2 filters of kernel-width 2 and stride 2”.",
    meaning="The scanning MLP with its block structure and the CNN with the same numbers give the "
    "same outputs for every input, length and step of the scan, whichever of the two one begins "
    "with; this example and any other.",
    statements=(
        Statement(
            name="outputs",
            says="For random weights, signals, lengths and steps the CNN over the whole signal "
            "gives what the MLP gives for each window by itself, in float64: converted from the "
            "MLP, with the MLP's repeated blocks written out, and the MLP converted from the CNN; "
            "for 4-3-2 filters of width and stride 2, and for random numbers of layers, filters, "
            "widths, strides and dilations along one and two axes.",
            kind="exact",
            gather=scanning.same_outputs,
            rule=exactly(1e-12),
        ),
    ),
    literature=(
        "Waibel et al. (1989) replicate the same weights over time, so that a feature is found "
        "wherever it occurs.",
        "LeCun (1989) constrains units at different places to the same weights and calls what "
        "they compute a feature map.",
    ),
    figure=figures.scan_equals_conv,
)

SCAN_PARAMETERS = Claim(
    id="scan-parameters",
    words="Such a network has a “lower number of params”.",
    meaning="Weights and biases of the dense MLP, of the MLP with the block structure but "
    "unshared, and of the shared one.",
    statements=(
        Statement(
            name="counts",
            says="The 4-3-2 example has 260 parameters dense, 116 unshared and 53 shared; for "
            "these and for random networks the formulas give what is counted in the networks.",
            kind="exact",
            gather=scanning.counts,
            rule=exactly(),
        ),
        Statement(
            name="fewer",
            says="Wherever a layer has its block at two places or more, the shared network has "
            "fewer parameters than the unshared one, and this fewer than the dense one; where no "
            "block is repeated, nothing is shared and nothing saved.",
            kind="exact",
            gather=scanning.fewer,
            rule=exactly(),
        ),
    ),
    literature=(
        "LeCun (1989): weight sharing reduces the number of free parameters and leaves the number "
        "of connections as it is.",
    ),
    figure=figures.scan_parameters,
)

_AT_EQUAL_PARAMETERS = (
    "Against the network that shares its weights over time, the one with weights of its own at "
    "every place and the dense one, each with as many parameters and tuned as long"
)

TDNN = Claim(
    id="tdnn",
    words="“Such a CNN which is moving over 1D input (mostly time) is called a Time Delay Neural "
    "Network (TDNN).”",
    meaning="The words are a definition. Tested is that our TDNN is one: the same layers at every "
    "place in time; and that one trained on real speech gives the same outputs over a whole "
    "recording and as a stream. What the bias is worth stands beside it.",
    statements=(
        Statement(
            name="definition",
            says="A TDNN applies the same layer at every place in time (written out place by place "
            "with its delays), answers the mean over time, and answers later what comes later; in "
            "float64, for random delays, widths, dilations and strides.",
            kind="exact",
            gather=time_delay.definition,
            rule=exactly(1e-12),
        ),
        Statement(
            name="stream",
            says="Heard in chunks of any size, a TDNN's last answer is the whole pass's, in "
            "float64: random networks on random sounds, and the network trained on spoken digits "
            "that comes along, sample by sample, on made-up sounds and, where they are there, on "
            "recordings.",
            kind="exact",
            gather=time_delay.streams,
            rule=exactly(1e-12),
        ),
        Statement(
            name="unseen-takes",
            says=f"{_AT_EQUAL_PARAMETERS}, are less accurate on recordings that they did not hear.",
            kind="measured",
            gather=time_delay.sharing("takes", quick="quick", full="full"),
            rule=comparisons(
                "worse",
                "Unshared and dense against shared, accuracy on unseen recordings of known "
                "speakers.",
                metric="accuracy_held_out",
            ),
            instead=True,
        ),
        Statement(
            name="shifted",
            says=f"{_AT_EQUAL_PARAMETERS}, are less accurate on the same recordings up to 0.2 s "
            "earlier or later.",
            kind="measured",
            gather=time_delay.sharing("takes", quick="quick", full="full"),
            rule=comparisons(
                "worse",
                "Unshared and dense against shared, accuracy on unseen recordings that were moved.",
                metric="accuracy_shifted_held_out",
            ),
            instead=True,
        ),
        Statement(
            name="unseen-speakers",
            says=f"{_AT_EQUAL_PARAMETERS}, are less accurate on speakers whom they did not hear.",
            kind="measured",
            gather=time_delay.sharing("speakers", quick="quick-speakers", full="speakers"),
            rule=comparisons(
                "worse",
                "Unshared and dense against shared, accuracy on unseen speakers; seeds hold out "
                "six voices in turn, so that they are fewer voices than seeds.",
                metric="accuracy_held_out",
            ),
            instead=True,
        ),
    ),
    literature=(
        "Waibel et al. (1989), who gave the network its name, recognise /b/, /d/ and /g/ of three "
        "speakers at 98.5 %, the best of several hidden Markov models at 93.7 %.",
    ),
    figure=figures.tdnn,
)

GRADIENT_ROUTING = Claim(
    id="gradient-routing",
    words="“If 4 filters in the lower layer feed 1 filter above, then the gradient at the higher "
    "filter will be equally rerouted (not split!) amongst the 4 lower layer filters.”",
    meaning="A sum passes its upstream gradient whole to each addend; behind weights, each "
    "receives the whole upstream gradient times its own weight; and a shared weight's gradient is "
    "the sum over the places that use it.",
    statements=(
        Statement(
            name="sum",
            says="Each addend of a sum receives the whole upstream gradient, so that n addends "
            "receive n times as much together; as autograd has it, under random networks.",
            kind="exact",
            gather=routing.sums,
            rule=exactly(1e-12),
        ),
        Statement(
            name="weights",
            says="Of four lower filters that feed one above, each receives the whole upstream "
            "gradient times its own weight, summed over the places above that it feeds; as "
            "autograd has it, for random kernels, strides and lengths.",
            kind="exact",
            gather=routing.weights,
            rule=exactly(1e-12),
        ),
        Statement(
            name="places",
            says="The gradient of a weight that several places share is the sum of the gradients "
            "that copies of it would have, one at each place.",
            kind="exact",
            gather=routing.shared,
            rule=exactly(1e-12),
        ),
        Statement(
            name="equal",
            says="The four lower filters receive equal gradients where their weights are equal, "
            "and other gradients where these differ: what is equal is what arrives at the sum.",
            kind="exact",
            gather=routing.equal_weights,
            rule=exactly(),
            instead=True,
        ),
    ),
    literature=(
        "Rumelhart, Hinton & Williams (1986): a unit's error is the sum, over the units that it "
        "feeds, of their errors times the weights between.",
    ),
    figure=figures.gradient_routing,
)

OUTPUT_SHAPE = Claim(
    id="output-shape",
    words="“output_shape = (input_shape + 2*padding - kernel)/(stride) + 1”",
    meaning="With the division rounded down, and the general form with dilation: what the "
    "framework's own layers give; where nothing fits, a clear error.",
    statements=(
        Statement(
            name="formula",
            says="⌊(input + 2·padding − kernel) / stride⌋ + 1 is what torch's convolutions without "
            "dilation give, for random lengths, kernels, strides and paddings along one, two and "
            "three axes.",
            kind="exact",
            gather=shapes.formula,
            rule=exactly(),
        ),
        Statement(
            name="division",
            says="As it is written, without rounding, the formula is torch's number where the "
            "stride divides, and above it by less than 1 elsewhere.",
            kind="exact",
            gather=shapes.division,
            rule=exactly(),
            instead=True,
        ),
        Statement(
            name="dilation",
            says="⌊(input + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1 is what torch's "
            "convolutions give with any dilation, and what penchant.geometry.output_shape says.",
            kind="exact",
            gather=shapes.dilation,
            rule=exactly(),
            instead=True,
        ),
        Statement(
            name="nothing-fits",
            says="Where torch refuses a setting because nothing fits, output_shape raises an error "
            "that says what would fit, and it raises none where torch gives a shape.",
            kind="exact",
            gather=shapes.nothing_fits,
            rule=exactly(),
            instead=True,
        ),
    ),
    literature=(
        "Dumoulin & Visin (2016) give o = ⌊(i + 2p − k)/s⌋ + 1, and with dilation d the kernel "
        "k + (k − 1)(d − 1) in place of k.",
    ),
    figure=figures.output_shape,
)

SHARED: tuple[Claim, ...] = (
    SCAN_EQUALS_CONV,
    SCAN_PARAMETERS,
    TDNN,
    GRADIENT_ROUTING,
    OUTPUT_SHAPE,
)
