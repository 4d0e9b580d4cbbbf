"""The page of claims: the notes' outline, with a verdict at each statement."""


def page() -> str:
    return ""
