import asyncio, cProfile, pstats, sys
from bench.servers.outset import given
from bench.servers.whole_bot import serve
p=cProfile.Profile()
p.enable()
try: asyncio.run(serve(given()))
finally:
    p.disable()
    with open('/tmp/prof/out.txt','w') as f:
        st=pstats.Stats(p,stream=f); st.sort_stats('tottime').print_stats(35); st.sort_stats('cumtime').print_stats(90)
