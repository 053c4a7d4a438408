"""The instrument: clock, sequencer, decoder, slots, engine, remote control. Knows no pins."""
