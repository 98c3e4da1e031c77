"""The probe: broadcasts the steps of the charts in one process."""
