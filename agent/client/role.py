"""Who may do what, the same three words on the socket, over HTTP and in tokens."""

from enum import IntEnum


class Role(IntEnum):
    """Each may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """As written by people and in files: `viewer`."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Role":
        """The role of that word.

        Raises:
            ValueError: there is no such role.
        """
        try:
            return cls[word.upper()]
        except KeyError as error:
            message = f"{word!r} is not a role"
            raise ValueError(message) from error
