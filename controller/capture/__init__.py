"""What the legs of calls say in SIP and RTCP: sent by Asterisk as HEP, kept for call details, bounded.

Datagrams come in at `listener`, `hep` reads them, `gathering` finds whose they are and sheds what is too
much, `leg_capture` is what is kept of a leg, `room` puts it into a file. `pcap` writes it for other programs.
"""
