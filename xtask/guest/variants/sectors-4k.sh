# Physical volumes with sectors of 4096 bytes.
LOOP_OPTIONS=(--sector-size 4096)
