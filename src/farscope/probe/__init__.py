"""The probe: sits beside the charts of one process and broadcasts their steps."""
