"""How steps, beats and bars hang together. Numbers alone, so that who needs no arrays loads none."""

STEPS = 32  # in a take: two bars of sixteenths
STEPS_PER_BEAT = 4  # a step is a sixteenth note
BEATS_PER_BAR = 4
STEPS_PER_BAR = STEPS_PER_BEAT * BEATS_PER_BAR
