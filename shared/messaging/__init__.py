"""How facts travel: from a transaction through the outbox to the broker and into other services.

    use case --announce--> outbox --relay--> JetStream --consumer--> read model or reaction
                                       |
                                       +--> event_log, from which a lost stream is refilled

The database is the truth; the broker can be lost and is refilled. Promises: a committed fact
arrives at every consumer at least once and takes effect once; a rolled-back one never leaves;
facts about one entity enter the stream in the order of its versions.
"""
