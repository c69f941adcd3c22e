# Tests of configuration, target and file set.
s3s_test(test_dataset_config SOURCES test_config.c target_support.c
  ${CMAKE_SOURCE_DIR}/tests/support/alloc_sweep.c MODULES dataset)
s3s_test(test_dataset_target SOURCES test_target.c target_support.c
  ${CMAKE_SOURCE_DIR}/tests/support/alloc_sweep.c
  ${CMAKE_SOURCE_DIR}/tests/support/tempdir.c MODULES dataset)
s3s_test(test_dataset_init SOURCES test_init.c target_support.c
  ${CMAKE_SOURCE_DIR}/tests/support/alloc_sweep.c MODULES dataset)
s3s_test(test_dataset_probe SOURCES test_probe.c target_support.c MODULES dataset)
s3s_test(test_dataset_schema_versions SOURCES test_schema_versions.c target_support.c
  MODULES dataset)
s3s_test(test_dataset_resolve SOURCES test_resolve.c target_support.c
  ${CMAKE_SOURCE_DIR}/tests/support/alloc_sweep.c MODULES dataset)
