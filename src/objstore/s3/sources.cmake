# Included by the module's CMakeLists.txt: the S3 store and what it links.
list(APPEND OBJSTORE_SOURCES
  s3/credentials.c s3/credentials_chain.c s3/credentials_fetch.c s3/credentials_machine.c
  s3/credentials_parse.c s3/credentials_process.c s3/credentials_profile.c
  s3/credentials_sources.c s3/credentials_sts.c s3/credentials_xml.c s3/endpoint.c s3/errors.c
  s3/exchange.c s3/exchange_receive.c s3/ini.c s3/request.c s3/settings.c s3/sign.c s3/store.c s3/xml.c
  s3/xml_reader.c)
