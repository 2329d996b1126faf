BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('1b5f0d9ad7c1');
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
INSERT INTO "assessments" VALUES('a-2cec2a712a464094af0fd77d40a85b79','tr-10517b9fa6cd538cd7da436b251709f7','true','feedback','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-bfac3069f29d451baa5878aae667e413','tr-10517b9fa6cd538cd7da436b251709f7','false','feedback','false',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-d141f695b90d43b1b0933b25fa0bfbbb','tr-10517b9fa6cd538cd7da436b251709f7','int','feedback','5.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-d1c5cd5dfe8e4c7aa2bf0351a2cfd730','tr-10517b9fa6cd538cd7da436b251709f7','float','feedback','0.1',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-3bd7900fcd714737b8ca00e47d5d24b8','tr-10517b9fa6cd538cd7da436b251709f7','whole','feedback','2.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-eac8645476864c26b86f8549b0742a33','tr-10517b9fa6cd538cd7da436b251709f7','text','feedback','"good"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-8145a29dcac041eea931f729ab5a4023','tr-10517b9fa6cd538cd7da436b251709f7','empty','feedback','""',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-fe14e087713a497ab571aa633d52cb46','tr-10517b9fa6cd538cd7da436b251709f7','list','feedback','["a"]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-4244d1ea07584e6ab8c704ee1626a699','tr-10517b9fa6cd538cd7da436b251709f7','ints','feedback','[1.0, 2.0]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-e5a9c3a924ee4372bba46878536cef75','tr-10517b9fa6cd538cd7da436b251709f7','object','feedback','{"k": 1.0}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-52e5aa11ba76491d8155f97372aa3304','tr-10517b9fa6cd538cd7da436b251709f7','nested','feedback','{"a": [{"b": null}]}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-2483abba49b44866a6b771437589a31f','tr-10517b9fa6cd538cd7da436b251709f7','number text','feedback','"12"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-72e75aa2f4094617b81b7beec6eaa515','tr-10517b9fa6cd538cd7da436b251709f7','unicode','feedback','"\ud83d\ude00\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67\u200d\ud83d\udc66"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-65721bafde3e4c03863888b785d50d08','tr-10517b9fa6cd538cd7da436b251709f7','failed','feedback','null','{"error_code": "TIMEOUT", "error_message": "too ''long''", "stack_trace": "Traceback\n line"}',1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-6eb90c9ba97641b4a16ac2edc5a4e83f','tr-10517b9fa6cd538cd7da436b251709f7','code only','feedback','null','{"error_code": "RATE_LIMIT", "error_message": null, "stack_trace": null}',1740787203000,1740787204000,'CODE','scorer.py:12',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-e83854c8bfd0418ea52fdc71c3a9db0a','tr-10517b9fa6cd538cd7da436b251709f7','withdrawn','feedback','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-e26f7d128dc5421893b6cc1fa56d67df','tr-10517b9fa6cd538cd7da436b251709f7','metadata','feedback','1.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,'because
''it'' is 😀',NULL,1,'{"empty": "", "dots.in.key": "y", "k": "v"}');
INSERT INTO "assessments" VALUES('a-7af145f349bc4d95a10b19c193b8878c','tr-10517b9fa6cd538cd7da436b251709f7','on child','feedback','"yes"',NULL,1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,'0c18003af931c064',NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-e43cc015d907474ea11dbef757834ea8','tr-10517b9fa6cd538cd7da436b251709f7','later','feedback','1.0',NULL,1740787207001,1740787207999,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-0808c8cc660349bca524a5b33bcabcb1','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.2',NULL,1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,NULL,'first',NULL,0,'{"v": "1"}');
INSERT INTO "assessments" VALUES('a-7a5880da4386441cbb52f0f31ece802e','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.9',NULL,1795778095548,1795778095548,'HUMAN','ann@example.com',NULL,NULL,'second','a-0808c8cc660349bca524a5b33bcabcb1',0,NULL);
INSERT INTO "assessments" VALUES('a-0452bf02e08744968a6cb6a0dfa0cb35','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.5',NULL,1795778095591,1795778095591,'HUMAN','ann@example.com',NULL,NULL,'third','a-7a5880da4386441cbb52f0f31ece802e',1,NULL);
INSERT INTO "assessments" VALUES('a-8fe5e74a3fae4902b43cb6d895d32287','tr-10517b9fa6cd538cd7da436b251709f7','text','expectation','"forty-two"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,'{"set": "gold"}');
INSERT INTO "assessments" VALUES('a-97300d9fc8134729b511756c64ea8f04','tr-10517b9fa6cd538cd7da436b251709f7','int','expectation','7.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-004db6a4b7ea481c9da28f1e1aa9a0e1','tr-10517b9fa6cd538cd7da436b251709f7','float','expectation','0.25',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-682f5354ade94ed5a1e4419ddb0e3be6','tr-10517b9fa6cd538cd7da436b251709f7','bool','expectation','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-8470692ab5f1479c9537b9fd17ba57ac','tr-10517b9fa6cd538cd7da436b251709f7','list','expectation','["a", null, {"b": 2}]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-11ab6360fd8b4195a63871a1933c4bc4','tr-10517b9fa6cd538cd7da436b251709f7','object','expectation','{"n": 9007199254740993}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-716eccaf1eb14da49d83b820963dcb01','tr-10517b9fa6cd538cd7da436b251709f7','empty list','expectation','[]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-b41a9a9bd23140c7b3d032b6e558d6de','tr-10517b9fa6cd538cd7da436b251709f7','json text','expectation','"[1]"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-16f6fcbd25f14fafa6a465a6ebc0b205','tr-10517b9fa6cd538cd7da436b251709f7','on child','expectation','{"k": [1]}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,'0c18003af931c064',NULL,NULL,1,NULL);
CREATE TABLE entity_associations (
	association_id VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, 
	created_time BIGINT, 
	CONSTRAINT entity_associations_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
INSERT INTO "entity_associations" VALUES('8bc481a7701246ceaa741e410201927a','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','5d09d9e7d35b4158b8eb6805f0fd4a9a',1795778096276);
INSERT INTO "entity_associations" VALUES('d3d1c7b832cd4e06afd62fbd15e2affb','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','e5934b10a8694ff29a5e9b8fa68a1a99',1795778096326);
INSERT INTO "entity_associations" VALUES('4f4ff97e68f0478dbeb269533167810a','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','dd852a49694b42e59d893482d930055d',1795778096365);
CREATE TABLE experiment_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
INSERT INTO "experiments" VALUES(0,'Default','mlflow-artifacts:/0','active',1795778089876,1795778089876,'default');
INSERT INTO "experiments" VALUES(1,'stores','mlflow-artifacts:/1','active',1795778094148,1795778094148,'default');
INSERT INTO "experiments" VALUES(2,'other','mlflow-artifacts:/2','active',1795778096225,1795778096225,'default');
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
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('639852a440504ae1a341af00e94fa3f9','producer','UNKNOWN','','','ann','FINISHED',1795778095896,1795778096087,'','active','mlflow-artifacts:/1/639852a440504ae1a341af00e94fa3f9/artifacts',1,NULL);
INSERT INTO "runs" VALUES('5d09d9e7d35b4158b8eb6805f0fd4a9a','enchanting-ant-238','UNKNOWN','','','unknown','RUNNING',1795778096240,NULL,'','active','mlflow-artifacts:/1/5d09d9e7d35b4158b8eb6805f0fd4a9a/artifacts',1,NULL);
INSERT INTO "runs" VALUES('e5934b10a8694ff29a5e9b8fa68a1a99','honorable-mink-951','UNKNOWN','','','unknown','RUNNING',1795778096291,NULL,'','active','mlflow-artifacts:/1/e5934b10a8694ff29a5e9b8fa68a1a99/artifacts',1,NULL);
INSERT INTO "runs" VALUES('dd852a49694b42e59d893482d930055d','legendary-goose-159','UNKNOWN','','','unknown','RUNNING',1795778096339,NULL,'','active','mlflow-artifacts:/2/dd852a49694b42e59d893482d930055d/artifacts',2,NULL);
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
	content TEXT NOT NULL, dimension_attributes JSON, 
	CONSTRAINT spans_pk PRIMARY KEY (trace_id, span_id), 
	CONSTRAINT fk_spans_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE, 
	CONSTRAINT fk_spans_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "spans" VALUES('tr-cb8c670b8787651eb35f93b46456f252',0,'728cbd9ea4f5427e','bad79403d069f243','llm','CHAT_MODEL','OK',1740787200001000000,1740787200006000007,'{"trace_id": "y4xnC4eHZR6zX5O0ZFbyUg==", "span_id": "coy9nqT1Qn4=", "parent_span_id": "uteUA9Bp8kM=", "name": "llm", "start_time_unix_nano": 1740787200001000000, "end_time_unix_nano": 1740787200006000007, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-cb8c670b8787651eb35f93b46456f252\"", "mlflow.spanStartTimeNs": "1740787200001000000", "mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.spanInputs": "{\"m\": \"hi\"}", "mlflow.chat.tokenUsage": "{\"input_tokens\": 12, \"output_tokens\": 5, \"total_tokens\": 17}", "mlflow.llm.model": "\"model-x\"", "mlflow.llm.cost": "{\"input_cost\": 1e-07, \"output_cost\": 0.25, \"total_cost\": 0.2500001}", "mlflow.spanOutputs": "\"ok\""}}','{"mlflow.llm.model": "model-x"}');
INSERT INTO "spans" VALUES('tr-cb8c670b8787651eb35f93b46456f252',0,'bad79403d069f243',NULL,'turn 😀','AGENT','OK',1740787200000000000,1740787200030000000,'{"trace_id": "y4xnC4eHZR6zX5O0ZFbyUg==", "span_id": "uteUA9Bp8kM=", "parent_span_id": null, "name": "turn \ud83d\ude00", "start_time_unix_nano": 1740787200000000000, "end_time_unix_nano": 1740787200030000000, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-cb8c670b8787651eb35f93b46456f252\"", "mlflow.spanStartTimeNs": "1740787200000000000", "mlflow.experimentId": "\"1\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"q\": \"hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello \"}", "mlflow.spanOutputs": "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""}}','null');
INSERT INTO "spans" VALUES('tr-af1aecc2141a2c5c9289b4ab4f9a5fb4',0,'0d5bd5019246d41c','ad1b5a511a52fb1c','tool 😀','TOOL','ERROR',1740787201001000000,1740787201006000007,'{"trace_id": "rxrswhQaLFySibSrT5pftA==", "span_id": "DVvVAZJG1Bw=", "parent_span_id": "rRtaURpS+xw=", "name": "tool \ud83d\ude00", "start_time_unix_nano": 1740787201001000000, "end_time_unix_nano": 1740787201006000007, "events": [], "status": {"code": "STATUS_CODE_ERROR", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-af1aecc2141a2c5c9289b4ab4f9a5fb4\"", "mlflow.spanStartTimeNs": "1740787201001000000", "mlflow.spanType": "\"TOOL\"", "mlflow.spanInputs": "\"just text\"", "mlflow.spanOutputs": "[9007199254740993, null]"}}','null');
INSERT INTO "spans" VALUES('tr-af1aecc2141a2c5c9289b4ab4f9a5fb4',0,'ad1b5a511a52fb1c',NULL,'values','AGENT','ERROR',1740787201000000000,1740787201030000000,'{"trace_id": "rxrswhQaLFySibSrT5pftA==", "span_id": "rRtaURpS+xw=", "parent_span_id": null, "name": "values", "start_time_unix_nano": 1740787201000000000, "end_time_unix_nano": 1740787201030000000, "events": [{"name": "typed", "time_unix_nano": 1740787201000000001, "attributes": {"s": "text", "i": 9007199254740993, "f": 0.1, "b": true, "list": ["a", "b"]}}, {"name": "before", "time_unix_nano": 1740787200999999999, "attributes": {}}], "status": {"code": "STATUS_CODE_ERROR", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-af1aecc2141a2c5c9289b4ab4f9a5fb4\"", "mlflow.spanStartTimeNs": "1740787201000000000", "mlflow.experimentId": "\"1\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"texts\": {\"emoji\": \"\ud83d\ude00\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67\u200d\ud83d\udc66\", \"combining\": \"e\u0301\", \"rtl\": \"\u05e9\u05dc\u05d5\u05dd \u202e\u0639\u0627\u0644\u0645\", \"dollar\": \"${x} $y\", \"quotes\": \"''single'' \\\"double\\\"\", \"backslash\": \"\\\\ \\\\n \\\\u0041\", \"newlines\": \"a\\nb\\r\\nc\", \"separators\": \"\u2028\u2029\", \"json\": \"{\\\"a\\\": 1}\", \"number\": \"12\"}, \"nested\": {\"a\": [1, [2, {\"b\": [null, true, {}, [], \"\"]}]]}, \"big\": 9007199254740993, \"max\": 9223372036854775807, \"small\": 1e-07, \"whole\": 1.0, \"third\": 0.3333333333333333}", "dots.in.key": "{\"texts\": {\"emoji\": \"\ud83d\ude00\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67\u200d\ud83d\udc66\", \"combining\": \"e\u0301\", \"rtl\": \"\u05e9\u05dc\u05d5\u05dd \u202e\u0639\u0627\u0644\u0645\", \"dollar\": \"${x} $y\", \"quotes\": \"''single'' \\\"double\\\"\", \"backslash\": \"\\\\ \\\\n \\\\u0041\", \"newlines\": \"a\\nb\\r\\nc\", \"separators\": \"\u2028\u2029\", \"json\": \"{\\\"a\\\": 1}\", \"number\": \"12\"}, \"nested\": {\"a\": [1, [2, {\"b\": [null, true, {}, [], \"\"]}]]}, \"big\": 9007199254740993, \"max\": 9223372036854775807, \"small\": 1e-07, \"whole\": 1.0, \"third\": 0.3333333333333333}", "none": "null", "mlflow.spanOutputs": "0"}}','null');
INSERT INTO "spans" VALUES('tr-10517b9fa6cd538cd7da436b251709f7',0,'0c18003af931c064','8cce47c286eeae00','llm','LLM','OK',1740787202001000000,1740787202006000007,'{"trace_id": "EFF7n6bNU4zX2kNrJRcJ9w==", "span_id": "DBgAOvkxwGQ=", "parent_span_id": "jM5HwoburgA=", "name": "llm", "start_time_unix_nano": 1740787202001000000, "end_time_unix_nano": 1740787202006000007, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-10517b9fa6cd538cd7da436b251709f7\"", "mlflow.spanStartTimeNs": "1740787202001000000", "mlflow.spanType": "\"LLM\""}}','null');
INSERT INTO "spans" VALUES('tr-10517b9fa6cd538cd7da436b251709f7',0,'8cce47c286eeae00',NULL,'assessed','AGENT','OK',1740787202000000000,1740787202030000000,'{"trace_id": "EFF7n6bNU4zX2kNrJRcJ9w==", "span_id": "jM5HwoburgA=", "parent_span_id": null, "name": "assessed", "start_time_unix_nano": 1740787202000000000, "end_time_unix_nano": 1740787202030000000, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-10517b9fa6cd538cd7da436b251709f7\"", "mlflow.spanStartTimeNs": "1740787202000000000", "mlflow.experimentId": "\"1\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"q\": 1}", "mlflow.spanOutputs": "\"a\""}}','null');
INSERT INTO "spans" VALUES('tr-293381e6a9edec81aad2b4c1b31c3432',1,'3b5e3a71fee258e7','7b50393d834c20a3','llm','LLM','OK',1740787205001000000,1740787205006000007,'{"trace_id": "KTOB5qnt7IGq0rTBsxw0Mg==", "span_id": "O146cf7iWOc=", "parent_span_id": "e1A5PYNMIKM=", "name": "llm", "start_time_unix_nano": 1740787205001000000, "end_time_unix_nano": 1740787205006000007, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-293381e6a9edec81aad2b4c1b31c3432\"", "mlflow.spanStartTimeNs": "1740787205001000000", "mlflow.spanType": "\"LLM\"", "mlflow.spanInputs": "{\"q\": \"in run\"}", "mlflow.spanOutputs": "\"a\""}}','null');
INSERT INTO "spans" VALUES('tr-293381e6a9edec81aad2b4c1b31c3432',1,'7b50393d834c20a3',NULL,'agent','AGENT','OK',1740787205000000000,1740787205030000000,'{"trace_id": "KTOB5qnt7IGq0rTBsxw0Mg==", "span_id": "e1A5PYNMIKM=", "parent_span_id": null, "name": "agent", "start_time_unix_nano": 1740787205000000000, "end_time_unix_nano": 1740787205030000000, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-293381e6a9edec81aad2b4c1b31c3432\"", "mlflow.spanStartTimeNs": "1740787205000000000", "mlflow.experimentId": "\"1\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"q\": \"in run\"}", "mlflow.spanOutputs": "\"a\""}}','null');
INSERT INTO "spans" VALUES('tr-80e85c4a072d13a8aba0e39b79c8fada',0,'32fd7aa0d95d63f2','7de8f6dff7a76346','llm','LLM','OK',1740787206001000000,1740787206006000007,'{"trace_id": "gOhcSgctE6iroOObecj62g==", "span_id": "Mv16oNldY/I=", "parent_span_id": "fej23/enY0Y=", "name": "llm", "start_time_unix_nano": 1740787206001000000, "end_time_unix_nano": 1740787206006000007, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-80e85c4a072d13a8aba0e39b79c8fada\"", "mlflow.spanStartTimeNs": "1740787206001000000", "mlflow.spanType": "\"LLM\"", "mlflow.spanInputs": "{\"q\": \"linked\"}", "mlflow.spanOutputs": "\"a\""}}','null');
INSERT INTO "spans" VALUES('tr-80e85c4a072d13a8aba0e39b79c8fada',0,'7de8f6dff7a76346',NULL,'agent','AGENT','OK',1740787206000000000,1740787206030000000,'{"trace_id": "gOhcSgctE6iroOObecj62g==", "span_id": "fej23/enY0Y=", "parent_span_id": null, "name": "agent", "start_time_unix_nano": 1740787206000000000, "end_time_unix_nano": 1740787206030000000, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.traceRequestId": "\"tr-80e85c4a072d13a8aba0e39b79c8fada\"", "mlflow.spanStartTimeNs": "1740787206000000000", "mlflow.experimentId": "\"1\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"q\": \"linked\"}", "mlflow.spanOutputs": "\"a\""}}','null');
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
INSERT INTO "trace_info" VALUES('tr-0000000000000000182884bcf05c5e00',1,1740787203000,NULL,'OK',NULL,NULL,NULL);
INSERT INTO "trace_info" VALUES('tr-0000000000000000182884bd2bf72800',1,1740787204000,NULL,'IN_PROGRESS',NULL,NULL,NULL);
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
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.tokenUsage','{"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.cost','{"input_cost": 1e-07, "output_cost": 0.25, "total_cost": 0.2500001}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.user','user ''one''','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 8265, "num_spans": 2, "max": 3840, "p25": 1515, "p50": 2290, "p75": 3065}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('empty','','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','8265','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello ...','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.session','session-😀-1','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mine','x','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('ключ','שלום ‮عالم','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','98dcdd5fe8d184b3f0e3ff7470140e2ea6ac893f','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "neste...','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 4392, "num_spans": 2, "max": 2015, "p25": 908, "p50": 1277, "p75": 1646}','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','0','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','98dcdd5fe8d184b3f0e3ff7470140e2ea6ac893f','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','4392','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": 1}','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1724, "num_spans": 2, "max": 529, "p25": 457, "p50": 481, "p75": 505}','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','98dcdd5fe8d184b3f0e3ff7470140e2ea6ac893f','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1724','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "in run"}','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1874, "num_spans": 2, "max": 535, "p25": 515, "p50": 522, "p75": 528}','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.sourceRun','639852a440504ae1a341af00e94fa3f9','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','98dcdd5fe8d184b3f0e3ff7470140e2ea6ac893f','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1874','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "linked"}','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1818, "num_spans": 2, "max": 535, "p25": 515, "p50": 522, "p75": 528}','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','98dcdd5fe8d184b3f0e3ff7470140e2ea6ac893f','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1818','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "neste...','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 4397, "num_spans": 2, "max": 2015, "p25": 908, "p50": 1277, "p75": 1646}','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','0','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','98dcdd5fe8d184b3f0e3ff7470140e2ea6ac893f','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','4397','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-b71267570b76945ff0c6fac416a3ae18');
CREATE TABLE "trace_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_tag_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_tags_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-cb8c670b8787651eb35f93b46456f252/artifacts','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('corpus.case','session','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','turn 😀','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-af1aecc2141a2c5c9289b4ab4f9a5fb4/artifacts','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('corpus.case','values','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('empty','no longer','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('quotes','''single'' "double"','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','values','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('unicode','😀👩‍👩‍👧‍👦','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('newlines','a
b
c','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-10517b9fa6cd538cd7da436b251709f7/artifacts','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('corpus.case','assessed','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','assessed','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','info only','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('corpus.case','tags_only','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-0000000000000000182884bcf05c5e00/artifacts','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','info only','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('corpus.case','in_progress','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-0000000000000000182884bd2bf72800/artifacts','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-293381e6a9edec81aad2b4c1b31c3432/artifacts','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('corpus.case','in_run','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','agent','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-80e85c4a072d13a8aba0e39b79c8fada/artifacts','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('corpus.case','linked','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','agent','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('corpus.case','values_file','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('empty','no longer','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('quotes','''single'' "double"','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','values','tr-b71267570b76945ff0c6fac416a3ae18');
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
CREATE INDEX idx_experiments_workspace ON experiments (workspace);
CREATE INDEX idx_experiments_workspace_creation_time ON experiments (workspace, creation_time);
COMMIT;
