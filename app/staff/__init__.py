"""Staff, their roles, their sign-in, the box keys they hold; never anything of a speaker."""
