SELECT trace_id, count(*) AS spans, concat(count(*), ':', bit_xor(xxhash64(line))) AS sum,
  min(start) AS low, max(start) AS high, sum(octet_length(line)) AS bytes,
  bool_or(hard) OR count(DISTINCT span_id) < count(*) OR NOT bool_or(root) AS hard
FROM (
  SELECT *, coalesce(start_time_unix_nano, 0) AS start, (parent_span_id IS NULL OR translate(parent_span_id, '0', '') IN ('', 'AAAAAAAAAAA=')) AS root, coalesce(CASE WHEN octet_length(line) > 2097152 THEN true ELSE
    line LIKE '%mlflow-attachment:%'
    OR coalesce(trace_id, '') NOT RLIKE '^[0-9a-f]{32}$' OR trace_id = repeat('0', 32)
    OR coalesce(span_id, '') NOT RLIKE '^[0-9a-f]{16}$' OR span_id = repeat('0', 16)
    OR (NOT (parent_span_id IS NULL OR translate(parent_span_id, '0', '') IN ('', 'AAAAAAAAAAA=')) AND parent_span_id NOT RLIKE '^[0-9a-f]{16}$')
    OR coalesce(start_time_unix_nano, 0) < 0
    OR coalesce(kind, '') NOT IN ('', 'SPAN_KIND_UNSPECIFIED', 'SPAN_KIND_INTERNAL', 'SPAN_KIND_SERVER', 'SPAN_KIND_CLIENT', 'SPAN_KIND_PRODUCER', 'SPAN_KIND_CONSUMER')
    OR coalesce(status.code, '') NOT IN ('', 'STATUS_CODE_UNSET', 'UNSET', 'STATUS_CODE_OK', 'OK', 'STATUS_CODE_ERROR', 'ERROR')
    OR ((parent_span_id IS NULL OR translate(parent_span_id, '0', '') IN ('', 'AAAAAAAAAAA=')) AND map_contains_key(attributes, 'service.name'))
    OR exists(coalesce(links, array()), l -> coalesce(l.trace_id, '') NOT RLIKE '^(tr-)?[0-9a-f]{32}$' OR l.trace_id RLIKE '0{32}$' OR coalesce(l.span_id, '') NOT RLIKE '^[0-9a-f]{16}$' OR l.span_id = repeat('0', 16) OR coalesce(exists(map_entries(l.attributes), a -> a.value IS NULL OR length(a.key) > 8000 OR a.key LIKE concat('%', chr(0), '%') OR false), false))
    OR exists(coalesce(events, array()), e -> e.time_unix_nano IS NULL OR coalesce(exists(map_entries(e.attributes), a -> a.value IS NULL OR length(a.key) > 8000 OR a.key LIKE concat('%', chr(0), '%') OR false), false))
    OR coalesce(exists(map_entries(resource.attributes), a -> a.value IS NULL OR length(a.key) > 8000 OR a.key LIKE concat('%', chr(0), '%') OR false), false)
    OR coalesce(exists(map_entries(attributes), a -> a.value IS NULL OR length(a.key) > 8000 OR a.key LIKE concat('%', chr(0), '%') OR CASE
      WHEN a.value RLIKE r'^[ \t\r\n]*[{\["]' THEN
        NOT coalesce(exists(array(try_parse_json(concat('[', a.value, ',"', :end, '"]'))), p -> try_variant_get(p, '$[1]', 'string') = :end), false)
        OR a.value LIKE r'%\\u0000%'
        OR (a.value RLIKE r'\\u[dD][89a-fA-F]'
          AND regexp_replace(a.value, r'\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', '') RLIKE r'\\u[dD][89a-fA-F]')
        OR exists(array(regexp_replace(a.value, r'(?s)\\.', '__')), e ->
          (length(e) > 8000 AND exists(filter(split(regexp_replace(e, r'"[^"]*"[ \t\r\n]*([,}\]]|$)', '$1'), '"'), (k, i) -> i % 2 = 1),
            k -> length(k) > 8000))
          OR exists(array(regexp_replace(e, '"[^"]*"', '')), s -> s RLIKE r'[0-9.]{16,}[eE]|[eE][-+]?[0-9]{3,}|[0-9.]{39,}|-0[.]?0*([,}\]\s]|$)'
            OR (length(s) - length(translate(s, '[{', '')) > 200 AND aggregate(sequence(1, 200), regexp_replace(s, r'[^\[\]{}]', ''),
              (a, i) -> regexp_replace(a, r'\[\]|\{\}', '')) <> '')))
      WHEN a.value RLIKE r'^[ \t\r\n]*(NaN|-?Infinity)' THEN true
      WHEN a.value RLIKE r'^[ \t\r\n]*-?[0-9]' THEN a.value RLIKE r'[0-9.]{16,}[eE]|[eE][-+]?[0-9]{3,}|[0-9.]{39,}|-0[.]?0*([,}\]\s]|$)'
      ELSE false END), false)
  END, true) AS hard
  FROM (SELECT *, to_json(struct(trace_id, span_id, trace_state, parent_span_id, flags, name, kind, start_time_unix_nano, end_time_unix_nano, attributes, dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, status, resource, instrumentation_scope)) AS line FROM `main`.`my-beta`.`mlflow_experiment_trace_otel_spans` WHERE trace_id IN (SELECT explode(split(:traces, '\n'))) AND (start_time_unix_nano BETWEEN :lo AND :hi OR (start_time_unix_nano IS NULL AND :lo <= 0)))
)
GROUP BY trace_id
