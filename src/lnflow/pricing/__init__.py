"""What a channel should cost, and why: policy files → rules → strategies → proposal → guards → rollback.

Everything here except `dialect.load` (which reads files) is a pure function of its arguments: a policy file,
frozen facts about channels, and what was changed before.  Gathering the facts is left to loaders over the
store and the node; writing to the node is left to the fee writers in `nodes`.
"""
