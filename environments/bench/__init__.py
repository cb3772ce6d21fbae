"""How fast the embedded service is, in ratios: each measured beside a server that does less, in one run.

Absolute figures say more about the machine than about the service; they are printed, and what is judged is the ratio.
Three processes: the service, the echo server and the load, which says how busy it was itself.
"""
