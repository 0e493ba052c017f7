"""The portal, with an authorization server that tests can bend."""
