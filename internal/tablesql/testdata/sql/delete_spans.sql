DELETE FROM `main`.`my-agents`.`prod_otel_spans`
WHERE time BETWEEN timestamp_micros(1) AND timestamp_micros(2)
  AND record_id = concat_ws('-', substr(lpad(lower(hex(greatest(start_time_unix_nano, 0L) DIV 1000000)), 12, '0'), 1, 8), substr(lpad(lower(hex(greatest(start_time_unix_nano, 0L) DIV 1000000)), 12, '0'), 9, 4),
    concat('7', substr(sha2(concat(CAST(trace_id AS BINARY), X'00', CAST(span_id AS BINARY)), 256), 2, 3)),
    concat(translate(substr(sha2(concat(CAST(trace_id AS BINARY), X'00', CAST(span_id AS BINARY)), 256), 5, 1), '0123456789abcdef', '89ab89ab89ab89ab'), substr(sha2(concat(CAST(trace_id AS BINARY), X'00', CAST(span_id AS BINARY)), 256), 6, 3)),
    substr(sha2(concat(CAST(trace_id AS BINARY), X'00', CAST(span_id AS BINARY)), 256), 9, 12))
  AND trace_id IN (
    '0a',
    '0b')
