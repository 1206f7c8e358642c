"""The kit against a live FHIR R4 endpoint that carries SDOH Clinical Care referral Tasks.

The kit plays the parties that the endpoint is not: against a target it is the source, against a
source it is the target, and against an intermediary it is both. Everything that it writes is
synthetic, carries a tag of its run, and is deleted or entered in error at the end, as far as the
server permits. It reads nothing that it did not write, but for searches that it must page through.
"""
