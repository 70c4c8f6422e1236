"""A driver whose library was not installed."""

import a_library_that_nobody_has  # type: ignore[import-not-found]  # that is the fault

open_driver = a_library_that_nobody_has.open_driver
