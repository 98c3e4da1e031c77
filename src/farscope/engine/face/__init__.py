"""The public methods of charts, grouped by subject; ``Hsm`` collects them."""
