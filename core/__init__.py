"""The shared kernel: settings, tables, the job machine, the plan and the encoders. No torch, no web framework."""
