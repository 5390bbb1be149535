"""What the hub asks of spokes, of storage and of the clock: Protocols and small arrays.

`arrays` are the shapes that cross the border, `engine` is asked of surrogates and acquisitions,
`lab` of lab adapters, `storage` of databases and files. A port says the signatures; the suite
of the same name in `loop/contracts/` says what they mean, in a form that runs.
"""
