"""What each measured statement of the notes asks for, and which comparisons it reads."""

WANTED: dict[str, list[str]] = {
    "conv-features/pictures": ["better"],
    "conv-features/shifted": ["better"],
    "conv-features/features": ["better"],
    "conv-features/as-many-features": ["better"],
    "conv-features/beyond-pixels": ["better"],
    "skip-gradients/vanishes": ["worse"],
    "skip-gradients/mended": ["better"],
    "skip-gradients/not-exploding": ["better"],
    "skip-gradients/even": ["better"],
    "skip-gradients/trains": ["better"],
    "skip-overfitting/gap": ["better"],
    "skip-overfitting/linear": ["better"],
    "skip-overfitting/gap-at-the-end": ["better"],
    "skip-overfitting/short-paths": ["better"],
    "tdnn/unseen-takes": ["worse"],
    "tdnn/shifted": ["worse"],
    "tdnn/unseen-speakers": ["worse"],
    "kl-over-l2/bad-starts": ["worse"],
    "kl-over-l2/faster": ["worse"],
    "kl-over-l2/same-end": ["equivalent"],
    "kl-over-l2/gaussian-noise": ["worse"],
    "gelu-rise/ahead": ["better"],
    "gelu-rise/equal": ["equivalent"],
    "relu-high-dim/useful": ["worse", "equivalent"],
    "relu-high-dim/overfits-less": ["worse"],
    "relu-high-dim/more-inputs": ["worse"],
    "relu-large/okay": ["worse", "equivalent"],
    "relu-large/trend": ["worse", "equivalent"],
    "relu-large/equal": ["equivalent"],
    "relu-bias/low-first": ["worse"],
    "relu-bias/more-than-others": ["better"],
    "relu-bias/straighter": ["better"],
    "relu-bias/shorter": ["better"],
    "relu-bias/straighter-than-truth": ["better"],
    "relu-bias/shorter-than-truth": ["better"],
    "relu-bias/straight-shapes": ["worse", "equivalent"],
    "relu-bias/round-shapes": ["better"],
    "relu-low-dim/encoder-decoder": ["better"],
    "relu-low-dim/coordinate": ["better"],
    "relu-low-dim/high-frequencies": ["better"],
    "relu-low-dim/from-noise": ["better"],
    "gaussian-bandwidth/mends": ["better"],
    "gaussian-bandwidth/bandwidth": ["better"],
    "gaussian-bandwidth/grows": ["better"],
    "gaussian-bandwidth/inside": ["worse"],
    "gaussian-bandwidth/auto": ["better"],
    "relu-encoding/as-written": ["better"],
    "relu-encoding/transformer": ["better"],
    "relu-encoding/relu-gains": ["better"],
    "relu-encoding/others-gain-less": ["worse"],
    "relu-encoding/bumps-and-waves-need-none": ["worse", "equivalent"],
    "sigmoid-posterior/linear-suffices": ["equivalent"],
    "sigmoid-posterior/linear-fails": ["worse"],
    "sigmoid-posterior/approaches": ["better"],
    "sigmoid-posterior/reaches": ["equivalent"],
    "sigmoid-posterior/calibrated": ["equivalent", "better"],
    "sigmoid-posterior/quadratic-suffices": ["equivalent"],
}
"""The verdicts in which each measured statement is right, by claim and statement."""

CONVOLUTIONAL = {("plain-8+relu", "dense+relu"), ("plain-8+relu+unnormalised", "dense+relu")}
TWINS = {
    (f"resnet-{depth}+relu{norm}", f"plain-{depth}+relu{norm}")
    for depth in (8, 14)
    for norm in ("", "+unnormalised")
}
IN_TWO = {("convnext+gelu", "convnext+relu"), ("vit+gelu", "vit+relu")}
IN_THREE = {*IN_TWO, ("resnet-8+gelu", "resnet-8+relu")}
READ: dict[str, set[tuple[str, str]]] = {
    "conv-features/pictures": CONVOLUTIONAL,
    "conv-features/shifted": CONVOLUTIONAL,
    "conv-features/features": CONVOLUTIONAL,
    "conv-features/as-many-features": {("plain-8+relu width=8", "dense+relu")},
    "conv-features/beyond-pixels": {
        ("plain-8+relu", "the pixels themselves"),
        ("plain-8+relu+unnormalised", "the pixels themselves"),
        ("plain-8+relu width=8", "the pixels themselves"),
    },
    "skip-gradients/vanishes": {
        (f"plain-14+relu{norm} {moment} training", "a loss of one decade")
        for norm in ("", "+unnormalised")
        for moment in ("before", "after")
    },
    "skip-gradients/not-exploding": {
        (f"resnet-14+relu{norm} {moment} training", "a growth of one decade")
        for norm in ("", "+unnormalised")
        for moment in ("before", "after")
    },
    "skip-gradients/even": TWINS,
    "skip-gradients/trains": {(one, other) for one, other in TWINS if "14" in one},
    "skip-overfitting/gap": {("resnet-8+relu", "plain-8+relu")},
    "skip-overfitting/linear": {("the share of mostly linear blocks in resnet-8+relu", "one half")},
    "gelu-rise/ahead": IN_TWO,
    "gelu-rise/equal": IN_TWO,
    "relu-high-dim/useful": {("gaussian", "relu"), ("sine", "relu")},
    "relu-high-dim/overfits-less": {("gaussian", "relu"), ("sine", "relu")},
    "relu-high-dim/more-inputs": {
        ("gaussian, 2 to 100 inputs,", "relu"),
        ("sine, 2 to 100 inputs,", "relu"),
    },
    "relu-large/okay": IN_THREE,
    "relu-large/trend": {
        ("resnet-8+gelu, 2 to 10 classes,", "resnet-8+relu"),
        ("resnet-8+gelu, 80 to 160 pictures,", "resnet-8+relu"),
    },
    "relu-bias/low-first": {("relu at 8 cycles per unit", "at 1")},
    "relu-bias/more-than-others": {("gaussian", "relu")},
    "relu-bias/straighter": {("relu", "gaussian")},
    "relu-bias/straighter-than-truth": {("relu", "the true boundary")},
    "relu-low-dim/encoder-decoder": {("autoencoder+gaussian", "autoencoder+relu")},
    "relu-low-dim/coordinate": {("coordinate+gaussian", "coordinate+relu")},
    "relu-low-dim/from-noise": {("autoencoder+gaussian+noise", "autoencoder+relu+noise")},
    "relu-low-dim/high-frequencies": {
        ("autoencoder+gaussian", "autoencoder+relu"),
        ("coordinate+gaussian", "coordinate+relu"),
    },
    "gaussian-bandwidth/mends": {
        ("autoencoder+gaussian", "autoencoder+relu"),
        ("coordinate+gaussian", "coordinate+relu"),
    },
    "gaussian-bandwidth/grows": {
        ("gaussian s=8", "gaussian s=4"),
        ("gaussian s=16", "gaussian s=8"),
    },
    "gaussian-bandwidth/inside": {
        ("gaussian scale=1", "gaussian scale=8"),
        ("gaussian scale=64", "gaussian scale=8"),
    },
    "gaussian-bandwidth/auto": {("gaussian scale=auto", "gaussian")},
    "relu-encoding/as-written": {("gaussian+nerf", "relu+nerf")},
    "relu-encoding/transformer": {("vit+gelu", "vit+relu")},
    "relu-encoding/relu-gains": {("relu+nerf", "relu")},
    "relu-encoding/others-gain-less": {("gaussian's gain from nerf", "relu's")},
    "relu-encoding/bumps-and-waves-need-none": {("gaussian+nerf", "gaussian")},
}
"""Designs and baselines that a statement's rule reads in the smoke profile."""
