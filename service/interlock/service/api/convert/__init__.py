"""From the fold to messages: pure, one file a resource.

Texts are not in the fold; ``api/texts.py`` puts them in afterwards, so that a reply that is remembered holds none.
"""
