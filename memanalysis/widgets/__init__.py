"""What is shown live in a notebook: what is selected (``state``, no ipywidgets) and how it is shown (``explorer``)."""
