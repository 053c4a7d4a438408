"""A player for a test: does what is asked for, and answers."""


class Player:
    """`hands` are (a piece of a sentence, what to do when it is said); `answers` the same with what is typed.

    What no answer is for gets Enter.
    """

    def __init__(self, hands=(), answers=(), leaves=""):
        self.there = True
        self.said = []
        self._hands, self._answers, self._leaves = list(hands), list(answers), leaves

    def say(self, text):
        self.said.append(text)
        for piece, do in self._hands:
            if piece in text:
                do()

    def ask(self, text):
        self.say(text)
        if self._leaves and self._leaves in text:
            self.there = False
        return next((answer for piece, answer in self._answers if piece in text), "")

    def agrees(self, text):
        return self.ask(text) in ("", "y") and self.there

    def wait(self, until, seconds):
        return any(until() for _ in range(3))
