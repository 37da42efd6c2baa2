"""LND's gRPC messages (generated from `lnd.proto`, our subset) and the full paths of its methods."""
