BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('1a0cddfcaa16');
CREATE TABLE assessments (
	assessment_id VARCHAR(50) NOT NULL, 
	trace_id VARCHAR(50) NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	assessment_type VARCHAR(20) NOT NULL, 
	value TEXT NOT NULL, 
	error TEXT, 
	created_timestamp BIGINT NOT NULL, 
	last_updated_timestamp BIGINT NOT NULL, 
	source_type VARCHAR(50) NOT NULL, 
	source_id VARCHAR(250), 
	run_id VARCHAR(32), 
	span_id VARCHAR(50), 
	rationale TEXT, 
	overrides VARCHAR(50), 
	valid BOOLEAN NOT NULL, 
	assessment_metadata TEXT, 
	CONSTRAINT assessments_pk PRIMARY KEY (assessment_id), 
	CONSTRAINT fk_assessments_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "assessments" VALUES('a-99b759e5580c47159e067e7932056c26','tr-10517b9fa6cd538cd7da436b251709f7','true','feedback','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-7c761aaffed6476a90210b9e172c534a','tr-10517b9fa6cd538cd7da436b251709f7','false','feedback','false',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-3f13e171059048c2ae2171462e1e1473','tr-10517b9fa6cd538cd7da436b251709f7','int','feedback','5.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-0ce1bd70926a43f9b9dd5b5fa414f05a','tr-10517b9fa6cd538cd7da436b251709f7','float','feedback','0.1',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-5e374129688e45d09c458c7216b4f7cb','tr-10517b9fa6cd538cd7da436b251709f7','whole','feedback','2.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-6d83d270f0e64a24bcd721d66409e175','tr-10517b9fa6cd538cd7da436b251709f7','text','feedback','"good"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-1204fde1d9984ff4aae4c7ef8a0361d4','tr-10517b9fa6cd538cd7da436b251709f7','empty','feedback','""',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-483cf76253264fe0bf2ec01dbbb1bad1','tr-10517b9fa6cd538cd7da436b251709f7','list','feedback','["a"]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-bb686f7a4fe44e76b671c18d794e1062','tr-10517b9fa6cd538cd7da436b251709f7','ints','feedback','[1.0, 2.0]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-a49a08c0c0b94854bf57317f313dd947','tr-10517b9fa6cd538cd7da436b251709f7','object','feedback','{"k": 1.0}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-fb95dee224b5488181ab18ab6790e683','tr-10517b9fa6cd538cd7da436b251709f7','nested','feedback','{"a": [{"b": null}]}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-c049a46df03346668d89013a019260ab','tr-10517b9fa6cd538cd7da436b251709f7','number text','feedback','"12"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-c4aba74e51584f2facbf74cc90931cd0','tr-10517b9fa6cd538cd7da436b251709f7','unicode','feedback','"\ud83d\ude00\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67\u200d\ud83d\udc66"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-b009c00703424a4eb53fa4436b2ffdfa','tr-10517b9fa6cd538cd7da436b251709f7','failed','feedback','null','{"error_code": "TIMEOUT", "error_message": "too ''long''", "stack_trace": "Traceback\n line"}',1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-294147ee8a154966acd28137c7abd393','tr-10517b9fa6cd538cd7da436b251709f7','code only','feedback','null','{"error_code": "RATE_LIMIT", "error_message": null, "stack_trace": null}',1740787203000,1740787204000,'CODE','scorer.py:12',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-c1d3e4862f34402fac900e54904679d8','tr-10517b9fa6cd538cd7da436b251709f7','withdrawn','feedback','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-f3d4c0160c414fcc863e12b66cb89261','tr-10517b9fa6cd538cd7da436b251709f7','metadata','feedback','1.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,'because
''it'' is 😀',NULL,1,'{"dots.in.key": "y", "empty": "", "k": "v"}');
INSERT INTO "assessments" VALUES('a-584b11bd60a247fab6ece128bb86a43e','tr-10517b9fa6cd538cd7da436b251709f7','on child','feedback','"yes"',NULL,1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,'0c18003af931c064',NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-555c1a33ddfc49e3bdfcaf05d156a636','tr-10517b9fa6cd538cd7da436b251709f7','later','feedback','1.0',NULL,1740787207001,1740787207999,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-df4dd6c01169444b8f73ba472cbf9f2c','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.2',NULL,1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,NULL,'first',NULL,0,'{"v": "1"}');
INSERT INTO "assessments" VALUES('a-d638102b5ff741eb89c62e839b310163','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.9',NULL,1795778550120,1795778550120,'HUMAN','ann@example.com',NULL,NULL,'second','a-df4dd6c01169444b8f73ba472cbf9f2c',0,NULL);
INSERT INTO "assessments" VALUES('a-d28d708314a34a00872f71b991696747','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.5',NULL,1795778550220,1795778550220,'HUMAN','ann@example.com',NULL,NULL,'third','a-d638102b5ff741eb89c62e839b310163',1,NULL);
INSERT INTO "assessments" VALUES('a-d36b4da2c9644fa49b54f75b6c67307e','tr-10517b9fa6cd538cd7da436b251709f7','text','expectation','"forty-two"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,'{"set": "gold"}');
INSERT INTO "assessments" VALUES('a-81782040e1064cd090d48cbfb08ce2dc','tr-10517b9fa6cd538cd7da436b251709f7','int','expectation','7.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-9094e9ec995a441cbd069c75b1c496b2','tr-10517b9fa6cd538cd7da436b251709f7','float','expectation','0.25',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-ab3ab868bfd947bea6894a40071773ec','tr-10517b9fa6cd538cd7da436b251709f7','bool','expectation','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-120c1300b03d48c2a7e396c5c4e2d466','tr-10517b9fa6cd538cd7da436b251709f7','list','expectation','["a", null, {"b": 2}]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-656608af15e24abdbd1853eb87d3d2a7','tr-10517b9fa6cd538cd7da436b251709f7','object','expectation','{"n": 9007199254740993}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-ec292c735be64add9fdd36fbaecae46d','tr-10517b9fa6cd538cd7da436b251709f7','empty list','expectation','[]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-aa533e31e3bc41a7ba3b70a8c4c3f531','tr-10517b9fa6cd538cd7da436b251709f7','json text','expectation','"[1]"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-8c13ca0c0335487b8c6cbce20c1e5a0e','tr-10517b9fa6cd538cd7da436b251709f7','on child','expectation','{"k": [1]}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,'0c18003af931c064',NULL,NULL,1,NULL);
CREATE TABLE entity_associations (
	association_id VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, 
	created_time BIGINT, 
	CONSTRAINT entity_associations_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
INSERT INTO "entity_associations" VALUES('ab3f683899754ff49926c68f2014c01a','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','eab3f687094b4c01aa6f00cc80ccf4a8',1795778550802);
INSERT INTO "entity_associations" VALUES('0955bcd5ce874790886f17757f84015c','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','9b380fe59d3a4da49aec4a4d9ea1ac95',1795778550827);
INSERT INTO "entity_associations" VALUES('df29195a622b4d4b93242233284499dc','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','4adced46a8174775bdccb73eaa4b7873',1795778550857);
CREATE TABLE experiment_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE experiments (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	UNIQUE (name)
);
INSERT INTO "experiments" VALUES(0,'Default','mlflow-artifacts:/0','active',1795778543446,1795778543446);
INSERT INTO "experiments" VALUES(1,'stores','mlflow-artifacts:/1','active',1795778549357,1795778549357);
INSERT INTO "experiments" VALUES(2,'other','mlflow-artifacts:/2','active',1795778550776,1795778550776);
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('e3abf7d6a8da4f0cad990bfa9058c2cc','producer','UNKNOWN','','','ann','FINISHED',1795778550556,1795778550643,'','active','mlflow-artifacts:/1/e3abf7d6a8da4f0cad990bfa9058c2cc/artifacts',1,NULL);
INSERT INTO "runs" VALUES('eab3f687094b4c01aa6f00cc80ccf4a8','learned-goose-736','UNKNOWN','','','unknown','RUNNING',1795778550781,NULL,'','active','mlflow-artifacts:/1/eab3f687094b4c01aa6f00cc80ccf4a8/artifacts',1,NULL);
INSERT INTO "runs" VALUES('9b380fe59d3a4da49aec4a4d9ea1ac95','rumbling-bear-839','UNKNOWN','','','unknown','RUNNING',1795778550808,NULL,'','active','mlflow-artifacts:/1/9b380fe59d3a4da49aec4a4d9ea1ac95/artifacts',1,NULL);
INSERT INTO "runs" VALUES('4adced46a8174775bdccb73eaa4b7873','salty-hog-727','UNKNOWN','','','unknown','RUNNING',1795778550839,NULL,'','active','mlflow-artifacts:/2/4adced46a8174775bdccb73eaa4b7873/artifacts',2,NULL);
CREATE TABLE spans (
	trace_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	span_id VARCHAR(50) NOT NULL, 
	parent_span_id VARCHAR(50), 
	name TEXT, 
	type VARCHAR(500), 
	status VARCHAR(50) NOT NULL, 
	start_time_unix_nano BIGINT NOT NULL, 
	end_time_unix_nano BIGINT, 
	duration_ns BIGINT GENERATED ALWAYS AS (end_time_unix_nano - start_time_unix_nano) STORED, 
	content TEXT NOT NULL, 
	CONSTRAINT spans_pk PRIMARY KEY (trace_id, span_id), 
	CONSTRAINT fk_spans_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE, 
	CONSTRAINT fk_spans_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE trace_info (
	request_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	timestamp_ms BIGINT NOT NULL, 
	execution_time_ms BIGINT, 
	status VARCHAR(50) NOT NULL, client_request_id VARCHAR(50), request_preview VARCHAR(1000), response_preview VARCHAR(1000), 
	CONSTRAINT trace_info_pk PRIMARY KEY (request_id), 
	CONSTRAINT fk_trace_info_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "trace_info" VALUES('tr-cb8c670b8787651eb35f93b46456f252',1,1740787200000,30,'OK','request ''one'' ü','{"q": "hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello ...','"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...');
INSERT INTO "trace_info" VALUES('tr-af1aecc2141a2c5c9289b4ab4f9a5fb4',1,1740787201000,30,'ERROR',NULL,'{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "nested": {"a": [1, [2, {"b": [null, true, {}, [], ""]}]]}, "big": 9007199254740993, "max": 9223372036854775807, "small": 1e-07, "whole": 1.0, "third": 0.3333333333333333}','0');
INSERT INTO "trace_info" VALUES('tr-10517b9fa6cd538cd7da436b251709f7',1,1740787202000,30,'OK',NULL,'{"q": 1}','"a"');
INSERT INTO "trace_info" VALUES('tr-0000000000000000182884bcf05c5e00',1,1740787203000,NULL,'OK',NULL,'','');
INSERT INTO "trace_info" VALUES('tr-0000000000000000182884bd2bf72800',1,1740787204000,NULL,'IN_PROGRESS',NULL,'','');
INSERT INTO "trace_info" VALUES('tr-293381e6a9edec81aad2b4c1b31c3432',1,1740787205000,30,'OK',NULL,'{"q": "in run"}','"a"');
INSERT INTO "trace_info" VALUES('tr-80e85c4a072d13a8aba0e39b79c8fada',1,1740787206000,30,'OK',NULL,'{"q": "linked"}','"a"');
INSERT INTO "trace_info" VALUES('tr-b71267570b76945ff0c6fac416a3ae18',1,1740787207000,30,'ERROR',NULL,'{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "nested": {"a": [1, [2, {"b": [null, true, {}, [], ""]}]]}, "big": 9007199254740993, "max": 9223372036854775807, "small": 1e-07, "whole": 1.0, "third": 0.3333333333333333}','0');
CREATE TABLE "trace_request_metadata" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_request_metadata_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_request_metadata_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('ключ','שלום ‮عالم','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.cost','{"input_cost": 1e-07, "output_cost": 0.25, "total_cost": 0.2500001}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mine','x','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello ...','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.user','user ''one''','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('empty','','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 8273, "num_spans": 2, "max": 3843, "p25": 1519, "p50": 2294, "p75": 3068}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','8273','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.tokenUsage','{"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.session','session-😀-1','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 4414, "num_spans": 2, "max": 2032, "p25": 916, "p50": 1288, "p75": 1660}','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','0','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','4414','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "neste...','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1732, "num_spans": 2, "max": 532, "p25": 462, "p50": 485, "p75": 508}','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1732','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": 1}','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1882, "num_spans": 2, "max": 538, "p25": 520, "p50": 526, "p75": 532}','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1882','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.sourceRun','e3abf7d6a8da4f0cad990bfa9058c2cc','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "in run"}','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1826, "num_spans": 2, "max": 538, "p25": 520, "p50": 526, "p75": 532}','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1826','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "linked"}','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 4419, "num_spans": 2, "max": 2032, "p25": 916, "p50": 1288, "p75": 1660}','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','0','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','4419','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "neste...','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-b71267570b76945ff0c6fac416a3ae18');
CREATE TABLE "trace_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_tag_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_tags_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "trace_tags" VALUES('mlflow.traceName','turn 😀','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('corpus.case','session','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-cb8c670b8787651eb35f93b46456f252/artifacts','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('corpus.case','values','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','values','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('empty','no longer','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('quotes','''single'' "double"','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-af1aecc2141a2c5c9289b4ab4f9a5fb4/artifacts','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('unicode','😀👩‍👩‍👧‍👦','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('newlines','a
b
c','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','assessed','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('corpus.case','assessed','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-10517b9fa6cd538cd7da436b251709f7/artifacts','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','info only','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('corpus.case','tags_only','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-0000000000000000182884bcf05c5e00/artifacts','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','info only','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('corpus.case','in_progress','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-0000000000000000182884bd2bf72800/artifacts','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','agent','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('corpus.case','in_run','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-293381e6a9edec81aad2b4c1b31c3432/artifacts','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','agent','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('corpus.case','linked','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-80e85c4a072d13a8aba0e39b79c8fada/artifacts','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('corpus.case','values_file','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','values','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('empty','no longer','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('quotes','''single'' "double"','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-b71267570b76945ff0c6fac416a3ae18/artifacts','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('unicode','😀👩‍👩‍👧‍👦','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('newlines','a
b
c','tr-b71267570b76945ff0c6fac416a3ae18');
CREATE INDEX index_trace_info_experiment_id_timestamp_ms ON trace_info (experiment_id, timestamp_ms);
CREATE INDEX index_trace_tags_request_id ON trace_tags (request_id);
CREATE INDEX index_trace_request_metadata_request_id ON trace_request_metadata (request_id);
CREATE INDEX index_assessments_trace_id_created_timestamp ON assessments (trace_id, created_timestamp);
CREATE INDEX index_assessments_run_id_created_timestamp ON assessments (run_id, created_timestamp);
CREATE INDEX index_assessments_last_updated_timestamp ON assessments (last_updated_timestamp);
CREATE INDEX index_assessments_assessment_type ON assessments (assessment_type);
CREATE INDEX index_spans_experiment_id ON spans (experiment_id);
CREATE INDEX index_spans_experiment_id_status_type ON spans (experiment_id, status, type);
CREATE INDEX index_spans_experiment_id_type_status ON spans (experiment_id, type, status);
CREATE INDEX index_spans_experiment_id_duration ON spans (experiment_id, duration_ns);
CREATE INDEX index_entity_associations_association_id ON entity_associations (association_id);
CREATE INDEX index_entity_associations_reverse_lookup ON entity_associations (destination_type, destination_id, source_type, source_id);
COMMIT;
