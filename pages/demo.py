"""The guided demo, for people who do not program: ``/demo``, and ``/demo?run=<id>&beside=<id>&step=<1 to 5>``."""

from abp.dashboard.demo.player import guided_demo
from abp.dashboard.frame.page import page, store

with page("Guided demo"):
    guided_demo(store())
