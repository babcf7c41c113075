"""What leaves the house: numbers and links, at fixed hours; never a word that a speaker wrote."""
