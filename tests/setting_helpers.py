"""Settings for hypothesis: any value that one may have."""

from hypothesis import strategies as st


def values(spec):
    """Any value of the setting that a spec describes."""
    if spec.choices:
        one = st.sampled_from(spec.choices)
    elif spec.kind is bool:
        one = st.booleans()
    elif spec.kind is int:
        one = st.integers(int(spec.low), int(spec.high))
    else:
        one = st.floats(spec.low, spec.high)
    return st.lists(one, min_size=spec.least, max_size=spec.most) if spec.most else one
