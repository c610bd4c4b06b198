# lvm.conf changes what LVM prints: reports in other forms, a prefix before each line, messages and reports switched on or off.
lvm_settings report compact_output=1 columns_as_rows=1 prefixes=1 headings=0 binary_values_as_numeric=1 \
    'list_item_separator=";"' 'time_format="%Y"'
lvm_settings log 'prefix=" -- "' command_names=1 silent=1 report_command_log=1
