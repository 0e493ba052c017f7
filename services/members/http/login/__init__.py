"""How people come in: through the OpenID provider of their own member."""
