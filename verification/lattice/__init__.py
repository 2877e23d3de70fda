"""Tasks that look continuous and are finite CMDPs, so that a trained network's regret is known exactly."""
