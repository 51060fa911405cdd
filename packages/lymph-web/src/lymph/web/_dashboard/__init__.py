"""The parts of `lymph.web.dashboard`: what services do, shown in a page."""
