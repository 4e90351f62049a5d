-- What Trino does and DuckDB does not, in DuckDB's words; only what a query names is made. One macro a line or
-- more, each ending in ";" at a line's end. Failures are casts of the message, since TRY lets nothing else fail.
-- https://trino.io/docs/current/functions.html · https://duckdb.org/docs/stable/sql/statements/create_macro
CREATE MACRO trino_sure(ok, message) AS CASE WHEN ok IS NOT FALSE THEN TRUE ELSE CAST('trino: ' || coalesce(message, '') AS BOOLEAN) END;

-- Numbers
CREATE MACRO trino_unscaled(x) AS CAST(replace(CAST(x AS VARCHAR), '.', '') AS HUGEINT);
CREATE MACRO trino_quotient(n, d) AS CASE WHEN trino_sure(d <> 0, 'DIVISION_BY_ZERO: Division by zero') THEN
    n // d + CASE WHEN abs(n % d) >= abs(d) - abs(n % d) THEN CASE WHEN (n < 0) = (d < 0) THEN 1 ELSE -1 END ELSE 0 END END;
CREATE MACRO trino_nonzero(x) AS CASE WHEN trino_sure(x <> 0, 'DIVISION_BY_ZERO: Division by zero') THEN x END;
CREATE MACRO trino_equal(a, b) AS (a = b AND (NOT isnan(a) OR b IS NULL));
CREATE MACRO trino_unequal(a, b) AS (a <> b OR (isnan(a) AND b IS NOT NULL));
CREATE MACRO trino_less(a, b) AS (a < b AND (NOT isnan(b) OR a IS NULL));
CREATE MACRO trino_at_most(a, b) AS (a <= b AND (NOT isnan(b) OR a IS NULL));
CREATE MACRO trino_number(x) AS CASE WHEN trino_sure(NOT isnan(x), 'LOCAL: what Athena makes of NaN here differs from release to release') THEN x END;
CREATE MACRO trino_round_double(x, d) AS CASE WHEN isnan(x) OR isinf(x) THEN x ELSE round(x * power(10, d)) / power(10, d) END;
CREATE MACRO trino_round_whole(x, d) AS CASE WHEN d >= 0 THEN x WHEN d < -18 THEN 0 ELSE trino_quotient(CAST(x AS HUGEINT), CAST(power(10, -d) AS HUGEINT)) * CAST(power(10, -d) AS HUGEINT) END;
CREATE MACRO trino_truncate_double(x) AS CASE WHEN isnan(x) OR isinf(x) THEN x ELSE trunc(x) END;
CREATE MACRO trino_sign(x) AS CASE WHEN isnan(x) THEN x ELSE CAST(sign(x) AS DOUBLE) END;
CREATE MACRO trino_whole(x, kind) AS CASE WHEN trino_sure(isfinite(x), 'INVALID_CAST_ARGUMENT: Unable to cast ' || x || ' to ' || kind) THEN round(x) END;
CREATE MACRO trino_digits(t) AS rtrim(ltrim(replace(split_part(ltrim(t, '-'), 'e', 1), '.', ''), '0'), '0');
CREATE MACRO trino_exponent(t) AS strpos(split_part(ltrim(t, '-'), 'e', 1) || '.', '.') - 2 + CAST('0' || coalesce(nullif(regexp_extract(t, 'e\+?([0-9]+)$', 1), ''), '') AS INTEGER)
    - CAST('0' || regexp_extract(t, 'e-([0-9]+)$', 1) AS INTEGER)
    - length(regexp_extract(replace(split_part(ltrim(t, '-'), 'e', 1), '.', ''), '^0*'));
CREATE MACRO trino_double_text(t) AS CASE t WHEN 'nan' THEN 'NaN' WHEN 'inf' THEN 'Infinity' WHEN '-inf' THEN '-Infinity' WHEN '0.0' THEN '0.0E0' WHEN '-0.0' THEN '-0.0E0'
    ELSE CASE WHEN starts_with(t, '-') THEN '-' ELSE '' END || left(trino_digits(t), 1) || '.' || coalesce(nullif(substring(trino_digits(t), 2), ''), '0') || 'E' || trino_exponent(t) END;
-- DuckDB's cbrt is off by up to three units in the last place: 3.0000000000000004 for 27. A step of Newton's mends it; it
-- is exact enough, for the cube of a, the upper 17 bits of the root, is a double itself.
CREATE MACRO trino_upper_bits(x) AS x * CAST(68719476737 AS DOUBLE) - (x * CAST(68719476737 AS DOUBLE) - x);
CREATE MACRO trino_cbrt_step(x, r, a) AS r + (x - a * a * a - 3 * a * a * (r - a) - 3 * a * (r - a) * (r - a)) / (3 * r * r);
CREATE MACRO trino_cbrt(x) AS CASE WHEN x <> 0 AND isfinite(trino_cbrt_step(x, cbrt(x), trino_upper_bits(cbrt(x))))
    THEN trino_cbrt_step(x, cbrt(x), trino_upper_bits(cbrt(x))) ELSE cbrt(x) END;
CREATE MACRO trino_width_bucket(x, low, high, n) AS CASE WHEN trino_sure(n > 0, 'INVALID_FUNCTION_ARGUMENT: bucketCount must be greater than 0') AND trino_sure(NOT isnan(x), 'INVALID_FUNCTION_ARGUMENT: operand must not be NaN')
    AND trino_sure(isfinite(low) AND isfinite(high), 'INVALID_FUNCTION_ARGUMENT: bounds must be finite') AND trino_sure(low <> high, 'INVALID_FUNCTION_ARGUMENT: bounds cannot equal each other')
    THEN CASE WHEN low < high THEN CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1 ELSE CAST(floor(n * (x - low) / (high - low)) AS BIGINT) + 1 END
    ELSE CASE WHEN x > low THEN 0 WHEN x <= high THEN n + 1 ELSE CAST(floor(n * (low - x) / (low - high)) AS BIGINT) + 1 END END END;

-- Text as numbers, dates and times. What Trino takes in some releases only fails here, in a TRY_CAST, too.
CREATE MACRO trino_trimmed(x) AS trim(x, chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(28) || chr(29) || chr(30) || chr(31) || ' ');
CREATE MACRO trino_plain(x, kind) AS CASE WHEN trino_sure(NOT regexp_matches(x, '^[\x00-\x20]|[\x00-\x20]$') OR trino_trimmed(x) = '', 'LOCAL: spaces around ''' || x || ''' as ' || kind || ' are taken by some releases of Athena and refused by others: trim(…) them') THEN x END;
CREATE MACRO trino_is_whole(x) AS regexp_full_match(x, '[+-]?[0-9]+');
CREATE MACRO trino_is_decimal(x) AS regexp_full_match(x, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?');
CREATE MACRO trino_is_double(x) AS regexp_full_match(x, '[\x00-\x20]*[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)[\x00-\x20]*');
CREATE MACRO trino_is_java_double(x) AS regexp_full_match(x, '[\x00-\x20]*[+-]?(0[xX].*|.*[0-9.][fFdD])[\x00-\x20]*');
CREATE MACRO trino_java_double(x) AS CASE WHEN trino_sure(NOT trino_is_java_double(x), 'LOCAL: ''' || x || ''' as a double is Java''s own form, which the local AWS does not read') THEN x END;
CREATE MACRO trino_is_date(x) AS regexp_full_match(trino_trimmed(x), '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}');
CREATE MACRO trino_date_text(x) AS CASE WHEN trino_sure(NOT regexp_full_match(trino_trimmed(x), '[+-]?[0-9]+-[0-9]+-[0-9]+') OR trino_is_date(x), 'LOCAL: ''' || x || ''' as a date: only years of four digits are read by the local AWS') THEN trino_trimmed(x) END;
CREATE MACRO trino_is_timestamp(x) AS regexp_full_match(trino_trimmed(x), '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( ([01]?[0-9]|2[0-3]):[0-5]?[0-9](:[0-5]?[0-9](\.[0-9]{1,12})?)?)?');
CREATE MACRO trino_timestamp_text(x) AS CASE WHEN trino_sure(NOT regexp_full_match(trino_trimmed(x), '[+-]?[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2}( .*)?') OR regexp_full_match(trino_trimmed(x), '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( [0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]+)?)?)?'), 'LOCAL: ''' || x || ''' as a timestamp: years of more than four digits and time zones are not read by the local AWS') THEN
    regexp_replace(regexp_replace(trino_trimmed(x), '([- :])([0-9])\b', '\10\2', 'g'), '(:[0-9]{2}\.[0-9]{6})[0-9]+$', '\1') END;
CREATE MACRO trino_microseconds(x) AS CASE WHEN trino_sure(NOT regexp_matches(x, '\.[0-9]{7}'), 'LOCAL: ''' || x || ''' as timestamp(6): the local AWS rounds no digits beyond microseconds') THEN x END;
CREATE MACRO trino_true(x) AS lower(x) IN ('t', 'true', '1');
CREATE MACRO trino_is_boolean(x) AS lower(x) IN ('t', 'true', '1', 'f', 'false', '0');
CREATE MACRO trino_castable(ok, x, kind) AS trino_sure(ok, 'INVALID_CAST_ARGUMENT: Cannot cast ''' || x || ''' to ' || kind);
CREATE MACRO trino_varchar(x, n) AS left(x, n);
CREATE MACRO trino_fitting(x, n) AS CASE WHEN trino_sure(length(x) <= n, 'INVALID_CAST_ARGUMENT: Value ' || x || ' cannot be represented as varchar(' || n || ')') THEN x END;

-- Times
CREATE MACRO trino_floor_mod(x, n) AS ((x % n) + n) % n;
CREATE MACRO trino_rounded(x, unit) AS make_timestamp(epoch_us(x) + unit // 2 - trino_floor_mod(epoch_us(x) + unit // 2, unit));
CREATE MACRO trino_printable(x) AS CASE WHEN trino_sure(date_part('year', x) BETWEEN 1 AND 9999, 'LOCAL: the local AWS writes only the years 1 to 9999') THEN x END;
CREATE MACRO trino_date_plus(d, ms) AS CASE WHEN trino_sure(ms % 86400000 = 0, 'INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date') THEN CAST(d + CAST(ms // 86400000 AS INTEGER) AS DATE) END;
CREATE MACRO trino_interval_text(ms) AS CASE WHEN ms < 0 THEN '-' ELSE '' END || (abs(ms) // 86400000) || ' ' || lpad(CAST(abs(ms) // 3600000 % 24 AS VARCHAR), 2, '0') || ':' || lpad(CAST(abs(ms) // 60000 % 60 AS VARCHAR), 2, '0') || ':' || lpad(CAST(abs(ms) // 1000 % 60 AS VARCHAR), 2, '0') || '.' || lpad(CAST(abs(ms) % 1000 AS VARCHAR), 3, '0');
CREATE MACRO trino_months_text(m) AS CASE WHEN m < 0 THEN '-' ELSE '' END || (abs(m) // 12) || '-' || (abs(m) % 12);
CREATE MACRO trino_at_zone(x, zone) AS timezone(zone, timezone('UTC', x));
CREATE MACRO trino_from_zone(x, zone) AS timezone('UTC', timezone(zone, x));
CREATE MACRO trino_iso_date(x) AS CASE WHEN trino_sure(regexp_full_match(x, '[0-9]{4}-[0-9]{2}-[0-9]{2}'), 'LOCAL: ''' || x || ''' as an ISO 8601 date: the local AWS reads yyyy-MM-dd only') THEN CAST(x AS DATE) END;
CREATE MACRO trino_iso_sure(x) AS trino_sure(regexp_full_match(x, '[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?'), 'LOCAL: ''' || x || ''' as an ISO 8601 timestamp: the local AWS reads yyyy-MM-ddTHH:mm[:ss[.fraction]][zone] only');
CREATE MACRO trino_iso_wall(x) AS CASE WHEN trino_iso_sure(x) THEN date_trunc('millisecond', CAST(regexp_replace(replace(replace(regexp_replace(x, '(T.*)(Z|[+-][0-9]{2}(:?[0-9]{2})?)$', '\1'), 'T', ' '), ',', '.'), '(\.[0-9]{6})[0-9]+$', '\1') || CASE WHEN regexp_full_match(x, '.*T[0-9]{2}:[0-9]{2}(Z|[+-].*)?') THEN ':00' ELSE '' END AS TIMESTAMP)) END;
CREATE MACRO trino_iso_offset(x) AS CASE WHEN regexp_matches(x, 'T.*[+-][0-9]{2}(:?[0-9]{2})?$') THEN
    CASE WHEN regexp_matches(x, 'T.*-[0-9]{2}(:?[0-9]{2})?$') THEN -1 ELSE 1 END * (CAST(regexp_extract(x, 'T.*[+-]([0-9]{2})(:?[0-9]{2})?$', 1) AS BIGINT) * 60 + CAST('0' || regexp_extract(x, 'T.*[+-][0-9]{2}:?([0-9]{2})$', 1) AS BIGINT)) ELSE 0 END;
CREATE MACRO trino_iso_instant(x) AS trino_iso_wall(x) - to_minutes(trino_iso_offset(x));
CREATE MACRO trino_parse_sure(x, pattern, loose, named) AS trino_sure(regexp_full_match(x, pattern) OR NOT regexp_full_match(x, loose), 'LOCAL: ''' || x || ''' for ' || named || ': the local AWS reads years of four digits and fractions of at most six only');
CREATE MACRO trino_parsed(x, pattern, format, named) AS CASE WHEN trino_sure(regexp_full_match(x, pattern), 'INVALID_FUNCTION_ARGUMENT: Invalid format: ''' || x || ''' for ' || named) THEN date_trunc('millisecond', strptime(x, format)) END;

-- Text
CREATE MACRO trino_spaces() AS chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(28) || chr(29) || chr(30) || chr(31) || ' ' || chr(5760) || chr(8192) || chr(8193) || chr(8194) || chr(8195) || chr(8196) || chr(8197) || chr(8198) || chr(8200) || chr(8201) || chr(8202) || chr(8232) || chr(8233) || chr(8287) || chr(12288);
CREATE MACRO trino_upper(s) AS replace(upper(replace(s, 'ß', chr(57344))), chr(57344), 'ß');
-- What a regular expression with \w, \b, \d, \s, ^ or $ finds beyond ASCII and beside line ends is not the same.
CREATE MACRO trino_subject(s, odd) AS CASE WHEN trino_sure(NOT regexp_matches(s, odd), 'LOCAL: the regular expression may find something else in ''' || s || ''' on Athena: its classes (\w, \b, \d, \s, ^, $) treat such characters in another way') THEN s END;
CREATE MACRO trino_substr(s, i) AS CASE WHEN i = 0 OR -i > length(s) THEN '' ELSE substring(s, i) END;
CREATE MACRO trino_substring(s, i, n) AS CASE WHEN i = 0 OR n <= 0 OR -i > length(s) THEN '' ELSE substring(s, i, n) END;
CREATE MACRO trino_characters(s) AS regexp_extract_all(s, '(?s).');
CREATE MACRO trino_reverse(s) AS array_to_string(list_reverse(trino_characters(s)), '');
CREATE MACRO trino_replace(s, old, new) AS CASE WHEN old = '' THEN new || coalesce(array_to_string(list_transform(trino_characters(s), lambda c: c || new), ''), '') ELSE replace(s, old, new) END;
CREATE MACRO trino_split(s, d) AS CASE WHEN trino_sure(d <> '', 'INVALID_FUNCTION_ARGUMENT: The delimiter may not be the empty string') THEN string_split(s, d) END;
CREATE MACRO trino_split_limit(s, d, n) AS CASE WHEN trino_sure(n > 0, 'INVALID_FUNCTION_ARGUMENT: Limit must be positive') THEN CASE WHEN len(trino_split(s, d)) <= n THEN trino_split(s, d) ELSE list_append(string_split(s, d)[1:n - 1], array_to_string(string_split(s, d)[n:], d)) END END;
CREATE MACRO trino_split_part(s, d, i) AS CASE WHEN trino_sure(i > 0, 'INVALID_FUNCTION_ARGUMENT: Index must be greater than zero') THEN trino_split(s, d)[i] END;
CREATE MACRO trino_lpad(s, n, p) AS CASE WHEN trino_sure(n >= 0, 'INVALID_FUNCTION_ARGUMENT: Target length must be in the range [0..2147483647]') AND trino_sure(p <> '', 'INVALID_FUNCTION_ARGUMENT: Padding string must not be empty') THEN lpad(s, CAST(n AS INTEGER), p) END;
CREATE MACRO trino_rpad(s, n, p) AS CASE WHEN trino_sure(n >= 0, 'INVALID_FUNCTION_ARGUMENT: Target length must be in the range [0..2147483647]') AND trino_sure(p <> '', 'INVALID_FUNCTION_ARGUMENT: Padding string must not be empty') THEN rpad(s, CAST(n AS INTEGER), p) END;
CREATE MACRO trino_codepoint(s) AS CASE WHEN trino_sure(length(s) = 1, 'INVALID_FUNCTION_ARGUMENT: Input string must be a single character string') THEN unicode(s) END;
CREATE MACRO trino_chr(n) AS CASE WHEN trino_sure(n BETWEEN 0 AND 1114111 AND n NOT BETWEEN 55296 AND 57343, 'INVALID_FUNCTION_ARGUMENT: Not a valid Unicode code point: ' || n) THEN chr(CAST(n AS INTEGER)) END;
CREATE MACRO trino_extract(s, pattern, g) AS CASE WHEN regexp_matches(s, pattern) THEN regexp_extract(s, pattern, g) END;
CREATE MACRO trino_from_utf8(b) AS decode(b);

-- Arrays and maps
CREATE MACRO trino_subscript(a, i) AS CASE WHEN trino_sure(i <> 0, 'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1') AND trino_sure(i > 0, 'INVALID_FUNCTION_ARGUMENT: Array subscript is negative: ' || i)
    AND trino_sure(i <= len(a), 'INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: ' || i || ' > ' || len(a)) THEN a[i] END;
CREATE MACRO trino_element_at(a, i) AS CASE WHEN trino_sure(i <> 0, 'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1') AND abs(i) <= len(a) THEN a[CASE WHEN i < 0 THEN len(a) + 1 + i ELSE i END] END;
CREATE MACRO trino_value(m, k) AS CASE WHEN trino_sure(m IS NULL OR k IS NULL OR map_contains(m, k), 'INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || k) THEN m[k] END;
CREATE MACRO trino_map(k, v) AS CASE WHEN trino_sure(len(k) = len(v), 'INVALID_FUNCTION_ARGUMENT: Key and value arrays must be the same length') AND trino_sure(NOT list_has_null(k), 'INVALID_FUNCTION_ARGUMENT: map key cannot be null')
    AND trino_sure(len(list_distinct(k)) = len(k), 'INVALID_FUNCTION_ARGUMENT: Duplicate map keys are not allowed') THEN map(k, v) END;
CREATE MACRO trino_most_frequent(h, n) AS map_from_entries(list_transform(list_sort(list_transform(map_entries(h), lambda e: {'n': -CAST(e.value AS BIGINT), 'k': e.key}))[1:n], lambda e: {'k': e.k, 'v': -e.n}));
CREATE MACRO list_has_null(a) AS len(list_filter(a, lambda e: e IS NULL)) > 0;
CREATE MACRO trino_contains(a, x) AS CASE WHEN x IS NULL OR a IS NULL THEN NULL WHEN list_contains(a, x) THEN TRUE WHEN list_has_null(a) THEN NULL ELSE FALSE END;
CREATE MACRO trino_any_match(l) AS CASE WHEN l IS NULL THEN NULL WHEN list_contains(l, TRUE) THEN TRUE WHEN list_has_null(l) THEN NULL ELSE FALSE END;
CREATE MACRO trino_all_match(l) AS CASE WHEN l IS NULL THEN NULL WHEN list_contains(l, FALSE) THEN FALSE WHEN list_has_null(l) THEN NULL ELSE TRUE END;
CREATE MACRO trino_array_max(a) AS CASE WHEN list_has_null(a) THEN NULL ELSE list_max(a) END;
CREATE MACRO trino_array_min(a) AS CASE WHEN list_has_null(a) THEN NULL ELSE list_min(a) END;
CREATE MACRO trino_distinct(a) AS list_filter(a, lambda e, i: list_position(a, e) = i OR (e IS NULL AND NOT list_has_null(a[1:i - 1])));
CREATE MACRO trino_sequence_sure(low, high, step) AS trino_sure(step <> 0 AND ((step > 0) = (high >= low) OR high = low), 'INVALID_FUNCTION_ARGUMENT: sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start')
    AND trino_sure((high - low) // step < 10000, 'INVALID_FUNCTION_ARGUMENT: result of sequence function must not have more than 10000 entries');
CREATE MACRO trino_sequence(low, high, step) AS CASE WHEN trino_sequence_sure(low, high, step) THEN generate_series(low, high, step) END;
CREATE MACRO trino_slice(a, i, n) AS CASE WHEN trino_sure(i <> 0, 'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1') AND trino_sure(n >= 0, 'INVALID_FUNCTION_ARGUMENT: length must be greater than or equal to 0') THEN
    CASE WHEN n = 0 OR abs(i) > len(a) THEN a[2:1] WHEN i > 0 THEN a[i:i + n - 1] ELSE a[len(a) + 1 + i:least(len(a), len(a) + i + n)] END END;
CREATE MACRO trino_repeat(x, n) AS CASE WHEN trino_sure(n BETWEEN 0 AND 10000, 'INVALID_FUNCTION_ARGUMENT: count argument of repeat function must be greater than or equal to 0 and at most 10000') THEN list_transform(range(0, n), lambda i: x) END;

-- JSON. Trino sorts the keys of what json_parse makes, and writes fractions in its own way: what would show that fails.
CREATE MACRO trino_json_sure(x) AS trino_sure(json_valid(x), 'INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON: ''' || x || '''');
CREATE MACRO trino_json_parse(x) AS CASE WHEN trino_json_sure(x) THEN CAST(json(trino_json(x)) AS VARCHAR) END;
CREATE MACRO trino_json_bare(x) AS regexp_replace(x, '"([^"\\]|\\.)*"', '', 'g');
CREATE MACRO trino_json_format(x) AS CASE WHEN trino_sure(NOT regexp_matches(trino_json_bare(x), '[0-9][.eE]'), 'LOCAL: Athena writes fractions in JSON in its own way: extract the number and cast it')
    AND trino_sure(NOT regexp_matches(trino_json_bare(x), '\{:[^{}]*,[^{}]*:'), 'LOCAL: Athena sorts the keys of a JSON object, the local AWS does not: extract the values') THEN x END;
CREATE MACRO trino_json(x) AS CASE WHEN json_valid(x) THEN x END;
CREATE MACRO trino_json_scalar(x, path) AS trino_json_known(x, path, json_extract_string(trino_json(x), path));
CREATE MACRO trino_json_known(x, path, found) AS CASE json_type(trino_json(x), path) WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL WHEN 'NULL' THEN NULL
    WHEN 'DOUBLE' THEN CASE WHEN trino_sure(regexp_matches(x, '(^|[:,\[\s])' || replace(replace(found, '.', '\.'), '+', '\+') || '\s*([,}\]]|$)'), 'LOCAL: Athena gives the number at ' || path || ' as it is written, the local AWS would give ' || found) THEN found END
    ELSE found END;
CREATE MACRO trino_json_value(x, path) AS CAST(json_extract(trino_json(x), path) AS VARCHAR);
CREATE MACRO trino_json_text(x) AS CASE WHEN trino_sure(json_type(x) NOT IN ('OBJECT', 'ARRAY'), 'INVALID_CAST_ARGUMENT: Cannot cast ''' || x || ''' to varchar') THEN trino_json_scalar(x, '$') END;
CREATE MACRO trino_json_size(x) AS CASE json_type(x) WHEN 'ARRAY' THEN CAST(json_array_length(x) AS BIGINT) WHEN 'OBJECT' THEN CAST(len(json_keys(x)) AS BIGINT) ELSE 0 END;
CREATE MACRO trino_json_length(x) AS CASE WHEN json_type(trino_json(x)) = 'ARRAY' THEN CAST(json_array_length(trino_json(x)) AS BIGINT) END;
