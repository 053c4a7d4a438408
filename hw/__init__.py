"""What a hand or a cable touches, and time. Knows no music."""
