#include "contract/contract.h"

#include "contract/words.h"

int s3s_contract_run(const s3s_contract *contract)
{
    the = contract;
    return contract_objects() + contract_keys() + contract_lists() + contract_conditions() +
           contract_uploads();
}
