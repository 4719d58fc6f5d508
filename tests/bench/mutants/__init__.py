"""A sampled mutation score: how many small mistakes in the code the suite notices."""
