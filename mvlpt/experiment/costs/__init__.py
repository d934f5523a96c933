"""What a job costs: sizes, the cost model, its calibration."""
