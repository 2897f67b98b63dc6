"""How a series moves: its growth, baselines, periods, swings and level changes, and the shape they make."""
