"""Every error the card expects.

CardError
├── StorageFull    no clean sector may be taken
├── FlashFault     flash does not keep what was written
├── NotPrepared    the recordings partition is not a card's
└── Refused        a request that cannot be met; `code` is the protocol's
"""


class CardError(Exception):
    pass


class StorageFull(CardError):
    pass


class FlashFault(CardError):
    pass


class NotPrepared(CardError):
    pass


class Refused(CardError):
    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
